"""Request bodies on their way to an origin."""

from __future__ import annotations

import asyncio

import pytest

from edge.handlers.proxy_exchange import GATHER
from edge.http.limits import SPOOL_MEMORY
from tests.handlers.scenes import MAX_BODY, request_of, scene
from tests.upstream.origins import OK, Visit, always_ok, settle, until


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("size", [1, GATHER - 1, GATHER, GATHER + 1, SPOOL_MEMORY, SPOOL_MEMORY + 1, MAX_BODY])
def test_a_body_arrives_whole_and_with_its_length(size: int, known: bool) -> None:
    """Of known length or not, in memory or in a file: the origin gets Content-Length and exactly the body."""
    body = bytes(i % 251 for i in range(size))

    async def main() -> None:
        async with scene(always_ok) as stage:
            exchange = await stage.post(body, known=known)
            assert exchange.status == 200
            assert stage.origin.bodies == [body]
            assert b"content-length: %d\r\n" % size in stage.origin.heads[0]
            assert b"transfer-encoding" not in stage.origin.heads[0]

    asyncio.run(main())


def test_an_empty_body_of_unknown_length_is_an_empty_body() -> None:
    """A POST that turned out to have no body is announced with length 0."""

    async def main() -> None:
        async with scene(always_ok) as stage:
            await stage.post(b"", known=False)
            assert b"content-length: 0\r\n" in stage.origin.heads[0]

    asyncio.run(main())


def test_no_origin_is_occupied_before_there_is_something_to_do() -> None:
    """A slow visitor costs no connection until GATHER bytes or the whole body are there."""

    async def main() -> None:
        async with scene(always_ok) as stage:
            exchange = stage.begin(request_of(b"POST", content_length=GATHER * 2))
            stage.feed(exchange, bytes(GATHER - 1), end=False)
            await settle()
            assert stage.origin.connections == 0
            stage.feed(exchange, b"1", end=False)
            await until(lambda: stage.origin.connections == 1)
            stage.feed(exchange, bytes(GATHER))
            await stage.finish(exchange)
            assert len(stage.origin.bodies[0]) == GATHER * 2

    asyncio.run(main())


def test_the_visitor_waits_while_the_connection_opens_and_while_the_origin_does_not_read() -> None:
    """The body is paused, not kept, and goes on when the origin takes more."""
    go_on = asyncio.Event()
    size = 8 * 1024 * 1024

    async def script(visit: Visit) -> None:
        await visit.head()
        await go_on.wait()
        await visit.reader.readexactly(size)
        await visit.send(OK)

    async def main() -> None:
        async with scene(script, max_body=size) as stage:
            exchange = stage.begin(request_of(b"POST", content_length=size))
            piece, sent = bytes(GATHER), 0
            stage.feed(exchange, piece, end=False)
            sent += len(piece)
            await until(lambda: not exchange.is_body_paused)
            sent += stage.feed_until_paused(exchange)
            assert sent < size
            go_on.set()
            while sent < size:
                await until(lambda: not exchange.is_body_paused)
                stage.feed(exchange, piece, end=False)
                sent += len(piece)
            stage.feed(exchange)
            assert (await stage.finish(exchange)).status == 200

    asyncio.run(main())


def test_a_body_announced_too_large_is_refused_at_once() -> None:
    """413 names the setting; the origin hears nothing; no 100 Continue invites the body."""

    async def main() -> None:
        async with scene(always_ok) as stage:
            exchange = stage.begin(request_of(b"POST", content_length=MAX_BODY + 1, expects_continue=True))
            assert exchange.status == 413
            assert b"max_body" in exchange.body
            assert exchange.interim == []
            assert stage.origin.connections == 0

    asyncio.run(main())


def test_a_body_that_grows_too_large_is_refused() -> None:
    """A body of unknown length gets 413 with the byte that is too much, and its file goes."""

    async def main() -> None:
        async with scene(always_ok) as stage:
            exchange = stage.begin(request_of(b"POST", content_length=None))
            stage.feed(exchange, bytes(MAX_BODY), end=False)
            assert not exchange.is_over
            stage.feed(exchange, b"1", end=False)
            assert exchange.status == 413
            assert stage.origin.connections == 0

    asyncio.run(main())


def test_continue_is_said_when_the_body_is_wanted() -> None:
    """`Expect: 100-continue` is answered by edge, once, and not forwarded."""

    async def main() -> None:
        async with scene(always_ok) as stage:
            exchange = stage.begin(request_of(b"POST", content_length=2, expects_continue=True))
            assert exchange.interim == [(100, ())]
            stage.feed(exchange, b"ab")
            await stage.finish(exchange)
            assert exchange.interim == [(100, ())]
            assert b"expect" not in stage.origin.heads[0]

    asyncio.run(main())


def test_an_early_answer_ends_the_upload() -> None:
    """The origin refuses before it has read: the visitor gets that answer, the connection is not used again."""

    async def script(visit: Visit) -> None:
        await visit.head()
        await visit.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        await visit.closed()

    async def main() -> None:
        async with scene(script) as stage:
            exchange = stage.begin(request_of(b"POST", content_length=GATHER * 4))
            stage.feed(exchange, bytes(GATHER), end=False)
            await stage.finish(exchange)
            assert (exchange.status, exchange.body) == (403, b"no")
            assert stage.idle == 0

    asyncio.run(main())


def test_an_early_answer_survives_the_reset_behind_it() -> None:
    """An origin that answers and closes with unread bytes resets the connection; its answer still reaches the visitor."""
    feeding = asyncio.Event()
    gone = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.head()
        await feeding.wait()
        visit.reset(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
        gone.set()

    async def main() -> None:
        async with scene(script, max_body=GATHER * 40) as stage:
            exchange = stage.begin(request_of(b"POST", content_length=GATHER * 40))
            stage.feed(exchange, bytes(GATHER), end=False)
            await until(lambda: not exchange.is_body_paused)
            feeding.set()
            await gone.wait()
            stage.feed(exchange, b"written into the void", end=False)
            await stage.finish(exchange)
            assert (exchange.status, exchange.body) == (403, b"no")

    asyncio.run(main())


def test_the_rest_of_the_body_is_thrown_away_after_an_early_head() -> None:
    """While a long early answer flows the visitor's body is read on, so that neither side waits for the other."""
    answer = asyncio.Event()
    finish = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.head()
        await answer.wait()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        await finish.wait()
        await visit.send(b"cd")
        await visit.closed()

    async def main() -> None:
        async with scene(script, max_body=64 * 1024 * 1024) as stage:
            exchange = stage.begin(request_of(b"POST", content_length=GATHER * 500))
            stage.feed(exchange, bytes(GATHER), end=False)
            await until(lambda: not exchange.is_body_paused)
            stage.feed_until_paused(exchange)
            answer.set()
            await until(lambda: exchange.body == b"ab")
            assert not exchange.is_body_paused
            stage.feed(exchange, bytes(GATHER), end=False)
            assert not exchange.is_body_paused
            finish.set()
            await stage.finish(exchange)
            assert exchange.body == b"abcd"
            assert stage.idle == 0

    asyncio.run(main())


@pytest.mark.parametrize("known", [True, False])
def test_a_visitor_who_leaves_in_the_middle_leaves_nothing(known: bool) -> None:
    """Spool and connection go with the exchange, at every stage of an upload."""

    async def main() -> None:
        async with scene(always_ok) as stage:
            for size in (1, GATHER, SPOOL_MEMORY + 1):
                exchange = stage.begin(request_of(b"POST", content_length=MAX_BODY if known else None))
                stage.feed(exchange, *(bytes(GATHER // 4) for _ in range(0, size, GATHER // 4)), end=False)
                await settle()
                assert exchange.receiver
                exchange.receiver.exchange_aborted("client-gone")
                await settle()
            assert stage.idle == 0
            assert stage.origin.bodies == []

    asyncio.run(main())
