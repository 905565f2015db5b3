"""The proxy between fake exchanges and an origin that speaks the uwsgi protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import pytest
from msgspec import structs

from edge.config.schema import Balancing
from edge.upstream import prober, uwsgi_connection
from tests.handlers.scenes import MAX_BODY, Scene, request_of, scene
from tests.upstream.origins import ScriptedOrigin, Visit, settle, until
from tests.wire.uwsgi_reader import HEADER, read_variables, size_behind

Variables: TypeAlias = dict[str, bytes]
Answer: TypeAlias = Callable[[Visit, Variables], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nok"
"""As uWSGI writes it: no length, ended by the close."""


async def read_request(visit: Visit) -> Variables:
    """A packet and its body; kept where the test finds it."""
    header = await visit.reader.readexactly(HEADER)
    block = await visit.reader.readexactly(size_behind(header))
    variables = read_variables(block)
    visit._origin.heads.append(block)
    visit._origin.bodies.append(await visit.reader.readexactly(int(variables["CONTENT_LENGTH"])))
    return variables


@asynccontextmanager
async def before(answer: Answer | bytes = OK) -> AsyncIterator[Scene]:
    """A proxy before an origin that reads a request and then answers so, with what `scene` checks at the end."""

    async def script(visit: Visit) -> None:
        variables = await read_request(visit)
        if isinstance(answer, bytes):
            await visit.send(answer)
        else:
            await answer(visit, variables)

    async with ScriptedOrigin(script) as origin:
        address = structs.replace(origin.address, protocol="uwsgi")
        async with scene(addresses=[address]) as stage:
            stage.origins.append(origin)
            yield stage


def test_each_request_has_its_connection() -> None:
    """The answer may say what it likes about keeping it: the pool stays empty."""

    async def main() -> None:
        async with before(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok") as stage:
            for number in range(3):
                assert (await stage.get(target=b"/%d" % number)).body == b"ok"
                assert stage.idle == 0
            assert stage.origin.connections == 3

    asyncio.run(main())


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("size", [0, 5, 300_000, MAX_BODY])
def test_bodies_follow_with_their_length(known: bool, size: int) -> None:
    """Also those whose length nobody knew: the protocol has no other way to end one."""

    async def main() -> None:
        async with before() as stage:
            exchange = stage.begin(request_of(b"POST", content_length=size if known else None))
            if size or not known:
                stage.feed(exchange, *[bytes(min(65536, size - start)) for start in range(0, size, 65536)])
            assert (await stage.finish(exchange)).body == b"ok"
            assert stage.origin.bodies == [bytes(size)]

    asyncio.run(main())


def test_too_large_a_body_of_unknown_length_is_refused() -> None:
    """413 as everywhere; the origin hears nothing."""

    async def main() -> None:
        async with before() as stage:
            exchange = stage.begin(request_of(b"POST", content_length=None))
            stage.feed(exchange, *[bytes(65536)] * 17)
            assert (await stage.finish(exchange)).status == 413
            assert stage.origin.connections == 0

    asyncio.run(main())


def test_a_response_arrives_piece_by_piece() -> None:
    """Nothing waits for the close."""
    go_on = asyncio.Event()

    async def answer(visit: Visit, variables: Variables) -> None:
        await visit.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n", OK)
        await go_on.wait()
        await visit.send(b"!")

    async def main() -> None:
        async with before(answer) as stage:
            exchange = stage.begin(request_of())
            await until(lambda: exchange.body == b"ok")
            assert [status for status, _ in exchange.interim] == [103]
            go_on.set()
            assert (await stage.finish(exchange)).body == b"ok!"

    asyncio.run(main())


def test_head_has_no_body() -> None:
    """uWSGI sends one all the same."""

    async def main() -> None:
        async with before(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as stage:
            exchange = await stage.get(b"HEAD")
            assert exchange.head
            assert (exchange.head.content_length, exchange.body) == (2, b"")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"", "502 upstream-closed"),
        (b"Internal Server Error", "502 upstream-protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", "abort upstream-truncated"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nunframed", "abort upstream-protocol"),
    ],
)
def test_what_is_no_answer(answer: bytes, outcome: str) -> None:
    """An application that raises makes uWSGI close without a byte: 502 at once, and not a second question."""

    async def main() -> None:
        async with before(answer) as stage:
            exchange = await stage.get()
            if exchange.abort_reason:
                assert f"abort {exchange.abort_reason}" == outcome
            else:
                assert f"{exchange.status} {outcome[4:]}" == outcome
            assert stage.origin.connections == 1

    asyncio.run(main())


@pytest.mark.parametrize(("target", "status"), [(b"/%00", 400), (b"/" + b"a" * 66_000, 431)])
def test_what_fits_into_no_packet_is_refused(target: bytes, status: int) -> None:
    """In words of HTTP, without a byte for the origin, and the next request is served."""

    async def main() -> None:
        async with before() as stage:
            assert (await stage.get(target=target)).status == status
            assert stage.origin.heads == []
            assert (await stage.get()).body == b"ok"

    asyncio.run(main())


def test_what_was_not_sent_is_not_held_against_the_origin() -> None:
    """Else a visitor could make origins look sick by asking for what their protocol cannot carry."""

    async def main() -> None:
        async with before() as one, before() as two:
            addresses = [origin.address for stage in (one, two) for origin in stage.upstream.origins]
            async with scene(addresses=addresses) as stage:
                for _ in range(10):
                    assert (await stage.get(target=b"/%00")).status == 400
                    assert (await stage.get(upgrade=b"websocket")).status == 501
                assert not any(origin.is_avoided(0.0) for origin in stage.upstream.origins)

    asyncio.run(main())


def test_a_health_probe_looks_like_a_visitors_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """The site's host, over https, in the variables of this protocol."""
    monkeypatch.setattr(prober, "INTERVAL", 0.01)
    seen: list[Variables] = []

    async def answer(visit: Visit, variables: Variables) -> None:
        seen.append(variables)
        await visit.send(OK)

    async def main() -> None:
        async with before(answer) as stage:
            addresses = [origin.address for origin in stage.upstream.origins]
            async with scene(addresses=addresses, balancing=Balancing(health="/up", hold_seconds=0)) as probed:
                await until(lambda: len(seen) >= 2)
                assert not probed.upstream.origins[0].is_avoided(0.0)

    asyncio.run(main())
    wanted = {"PATH_INFO": b"/up", "HTTP_HOST": b"a.test", "HTTPS": b"on", "REMOTE_ADDR": b"127.0.0.1"}
    assert wanted.items() <= seen[0].items()


@pytest.mark.parametrize("method", [b"GET", b"CONNECT"])
def test_there_are_no_websockets(method: bytes) -> None:
    """501, and a sentence that says why."""

    async def main() -> None:
        async with before() as stage:
            exchange = await stage.get(method, upgrade=b"websocket")
            assert exchange.status == 501
            assert b"uwsgi" in exchange.body
            assert stage.origin.heads == []

    asyncio.run(main())


def test_a_visitor_who_leaves_ends_the_work() -> None:
    """The origin sees the connection go."""

    async def answer(visit: Visit, variables: Variables) -> None:
        await visit.closed()

    async def main() -> None:
        async with before(answer) as stage:
            exchange = stage.begin(request_of())
            await until(lambda: len(stage.origin.heads) == 1)
            assert exchange.receiver
            exchange.receiver.exchange_aborted("client-gone")
            exchange.is_ended = True
            await settle()
            assert stage.upstream.origins[0].busy == 0

    asyncio.run(main())


def test_a_large_head_without_an_answer_is_explained_once(capsys: pytest.CaptureFixture[str]) -> None:
    """uWSGI takes 4096 bytes unless told otherwise, and says so in its own log only."""
    uwsgi_connection._advise_larger_buffer.cache_clear()

    async def refuse(visit: Visit) -> None:
        await visit.reader.readexactly(HEADER)

    async def main() -> None:
        async with ScriptedOrigin(refuse) as origin:
            address = structs.replace(origin.address, protocol="uwsgi")
            async with scene(addresses=[address]) as stage:
                for _ in range(3):
                    assert (await stage.get(fields=[(b"cookie", b"c" * 5000)])).status == 502

    asyncio.run(main())
    assert capsys.readouterr().out.count("buffer-size = 65535") == 1
