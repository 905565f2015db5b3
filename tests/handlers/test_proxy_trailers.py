"""Trailers of an origin, through the proxy."""

from __future__ import annotations

import asyncio

from tests.handlers.scenes import request_of, scene
from tests.upstream.origins import Visit, settle

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\nX-Checksum: abc\r\nServer: secret\r\n\r\n"
TRAILERS = ((b"x-checksum", b"abc"),)


def test_trailers_reach_the_visitor() -> None:
    """Behind a body that came in one read and behind one that came in several."""

    async def answer(visit: Visit) -> None:
        await visit.request()
        await visit.send(HEAD + b"2\r\nhi\r\n" + END)
        await visit.request()
        await visit.send(HEAD, b"2\r\nhi\r\n", END)

    async def main() -> None:
        async with scene(answer) as stage:
            for _ in range(2):
                exchange = await stage.get()
                assert (exchange.body, exchange.trailers, exchange.is_ended) == (b"hi", TRAILERS, True)
            assert stage.origin.connections == 1

    asyncio.run(main())


def test_trailers_wait_for_a_visitor_who_is_slow() -> None:
    """A response that was read ahead ends with its trailers when the visitor has everything before them."""

    async def answer(visit: Visit) -> None:
        await visit.request()
        await visit.send(HEAD, b"5\r\nfirst\r\n", b"6\r\nsecond\r\n", END)

    async def main() -> None:
        async with scene(answer) as stage:
            exchange = stage.begin(request_of(), capacity=5)
            await settle()
            while not stage.idle:
                await asyncio.sleep(0)
            assert not exchange.is_over
            exchange.take(1000)
            assert (exchange.body, exchange.trailers) == (b"firstsecond", TRAILERS)

    asyncio.run(main())
