"""The reverse proxy with origins that behave."""

from __future__ import annotations

import asyncio

import pytest

from tests.handlers.scenes import request_of, scene
from tests.upstream.origins import OK, Visit, always_ok, settle, until


def test_a_response_is_passed_on_and_the_connection_is_pooled() -> None:
    """Status, fields and body arrive; the second request goes over the same connection."""

    async def main() -> None:
        async with scene(always_ok) as stage:
            first = await stage.get()
            assert (first.status, first.body, first.is_ended) == (200, b"ok", True)
            assert first.upstream_seconds >= 0
            assert stage.idle == 1
            await stage.get()
            assert stage.origin.connections == 1
            assert len(stage.origin.heads) == 2

    asyncio.run(main())


def test_the_request_is_written_anew() -> None:
    """Target byte for byte, Host first, what edge says of the visitor, then the visitor's own fields, no framing."""

    async def main() -> None:
        async with scene(always_ok) as stage:
            spoofed = ((b"x-forwarded-proto", b"http"), (b"x_forwarded_for", b"1.2.3.4"), (b"accept", b"*/*"))
            exchange = await stage.get(target=b"//e/%2f?a=%00b", fields=spoofed)
            lines = stage.origin.heads[0].split(b"\r\n")
            assert lines[0] == b"GET //e/%2f?a=%00b HTTP/1.1"
            assert lines[1] == b"host: a.test"
            assert b"x-forwarded-proto: https" in lines
            assert b"x-forwarded-for: 192.0.2.1" in lines
            assert b"x-request-id: " + exchange.request_id.encode() in lines
            assert b"accept: */*" in lines
            assert not any(line.startswith((b"x_", b"content-length", b"transfer-encoding")) for line in lines)
            assert sum(line.startswith(b"x-forwarded-proto") for line in lines) == 1

    asyncio.run(main())


def test_words_for_edge_stay_with_edge() -> None:
    """Server and X-Accel-* do not reach the visitor; Set-Cookie lines stay apart; the request id is echoed."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(
            b"HTTP/1.1 200 OK\r\nServer: x\r\nX-Accel-Redirect: /secret\r\nX-Sendfile: /s\r\nSet-Cookie: a=1\r\n"
            b"Set-Cookie: b=2\r\nX-Request-ID: other\r\nContent-Length: 0\r\n\r\n"
        )

    async def main() -> None:
        async with scene(script) as stage:
            exchange = await stage.get()
            assert exchange.head
            assert exchange.head.fields == (
                (b"set-cookie", b"a=1"),
                (b"set-cookie", b"b=2"),
                (b"x-request-id", exchange.request_id.encode()),
            )

    asyncio.run(main())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n0123456789",
        b"HTTP/1.0 200 OK\r\n\r\n0123456789",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789",
    ],
    ids=["length", "chunked", "close", "http10", "interim"],
)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_any_framing_in_any_pieces_is_the_same_response(answer: bytes, size: int) -> None:
    """However the origin frames and cuts its answer, the visitor gets one status and one body."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(*(answer[i : i + size] for i in range(0, len(answer), size)))

    async def main() -> None:
        async with scene(script) as stage:
            exchange = await stage.get()
            assert (exchange.status, exchange.body, exchange.is_ended) == (200, b"0123456789", True)

    asyncio.run(main())


def test_a_whole_response_in_one_read_has_a_length() -> None:
    """A chunked response that came in one piece is sent with its length."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")

    async def main() -> None:
        async with scene(script) as stage:
            exchange = await stage.get()
            assert exchange.head
            assert exchange.head.content_length == 2

    asyncio.run(main())


def test_early_hints_pass_and_continue_does_not() -> None:
    """103 is forwarded with its fields, 100 is between edge and the origin."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(
            b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nServer: x\r\n\r\n", OK
        )

    async def main() -> None:
        async with scene(script) as stage:
            exchange = await stage.get()
            assert exchange.interim == [(103, ((b"link", b"</a>"),))]
            assert exchange.status == 200

    asyncio.run(main())


def test_events_are_passed_on_as_they_come() -> None:
    """An event stream is not held back, and no idle time ends it."""
    released = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", b"data: 1\n\n")
        await released.wait()

    async def main() -> None:
        async with scene(script) as stage:
            exchange = stage.begin(request_of())
            await until(lambda: exchange.body == b"data: 1\n\n")
            stage.pass_time(3600)
            assert not exchange.is_over
            released.set()
            await stage.finish(exchange)
            assert exchange.is_ended

    asyncio.run(main())


@pytest.mark.parametrize("kind", [b"Content-Type: text/event-stream", b"X-Accel-Buffering: no"])
def test_a_slow_visitor_stops_the_reading_of_a_stream(kind: bytes) -> None:
    """What must not be read ahead is not read while `can_send` is False, however long it takes; then it goes on."""
    body = bytes(range(256)) * 8192  # 2 MiB: more than all socket buffers of loopback in one turn

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\n%b\r\nContent-Length: %d\r\n\r\n" % (kind, len(body)))
        await visit.send(body)
        await visit.closed()

    async def main() -> None:
        async with scene(script) as stage:
            exchange = stage.begin(request_of(), capacity=1000)
            await until(lambda: len(exchange.body) >= 1000)
            await settle()
            held = len(exchange.body)
            assert held <= 1000 + 64 * 1024
            await settle()
            stage.pass_time(3600)
            assert len(exchange.body) == held
            assert not exchange.is_over
            exchange.take(len(body))
            await stage.finish(exchange)
            assert exchange.body == body

    asyncio.run(main())


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\nhello"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello"),
    ],
)
def test_a_body_that_must_not_be_there_reaches_nobody(method: bytes, answer: bytes) -> None:
    """The body behind HEAD, 204 and 304 is discarded with its connection, whether it comes now or later."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(answer)
        await visit.closed()

    async def main() -> None:
        async with scene(script) as stage:
            exchange = await stage.get(method)
            assert exchange.is_ended
            assert exchange.body == b""
            assert stage.idle == 0

    asyncio.run(main())


def test_a_304_without_a_length_keeps_the_connection() -> None:
    """Conditional requests are common, so an ordinary 304 is pooled."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n')
        await visit.closed()

    async def main() -> None:
        async with scene(script) as stage:
            assert (await stage.get()).status == 304
            assert stage.idle == 1

    asyncio.run(main())


def test_an_idle_connection_is_closed_before_the_origin_would() -> None:
    """After POOL_IDLE_TIMEOUT it is neither used nor kept."""

    async def main() -> None:
        async with scene(always_ok) as stage:
            await stage.get()
            stage.pass_time(1.6)
            await settle()
            assert stage.idle == 0
            await stage.get()
            assert stage.origin.connections == 2

    asyncio.run(main())


def test_a_visitor_who_leaves_ends_the_work() -> None:
    """The origin sees its connection go at once, whether it has begun to answer or not."""
    gone = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.request()
        if visit.number == 2:
            await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nab")
        await visit.closed()
        gone.set()

    async def main() -> None:
        async with scene(script) as stage:
            for number in (1, 2):
                gone.clear()
                exchange = stage.begin(request_of())
                await until(lambda number=number: len(stage.origin.heads) == number)  # type: ignore[misc]  # bound now
                await settle()
                assert exchange.receiver
                exchange.receiver.exchange_aborted("client-gone")
                await asyncio.wait_for(gone.wait(), 5)
            assert stage.idle == 0

    asyncio.run(main())
