"""A proxy in front of HTTP/2 origins: shares of connections, retries, back-pressure, deadlines."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec import structs

from edge.config.address import H2C, UpstreamAddress
from edge.config.schema import Balancing
from edge.http.limits import (
    CONNECT_TIMEOUT,
    FIRST_BYTE_TIMEOUT,
    ORIGIN_IDLE_TIMEOUT,
    ORIGIN_PING_INTERVAL,
    ORIGIN_PING_TIMEOUT,
    ORIGIN_STREAM_WINDOW,
    UPSTREAM_IDLE_TIMEOUT,
)
from edge.upstream import share_pool
from edge.upstream.share_pool import SharePool
from edge.upstream.shared_connection import INSPECTION
from edge.upstream.upstream import NO_HOLD
from tests.fakes import FakeExchange
from tests.handlers.scenes import Scene, request_of, scene
from tests.upstream.http2_origins import App, Call, HTTP2Origin, say_ok
from tests.upstream.origins import ScriptedOrigin, Visit, free_port, settle, until

REFUSED_STREAM, CANCEL, INTERNAL_ERROR = 7, 8, 2


@asynccontextmanager
async def h2c(
    *apps: App, max_streams: int = 100, balancing: Balancing = NO_HOLD
) -> AsyncIterator[tuple[Scene, list[HTTP2Origin]]]:
    """A scene whose origins speak HTTP/2."""
    origins = [HTTP2Origin(app, max_streams=max_streams) for app in apps]
    for origin in origins:
        await origin.__aenter__()
    try:
        async with scene(addresses=[origin.address for origin in origins], balancing=balancing) as stage:
            yield stage, origins
            stage.upstream.close()
            await until(lambda: not any(line.is_open for origin in origins for line in origin.lines))
    finally:
        for origin in origins:
            await origin.__aexit__(None, None, None)


def pool_of(stage: Scene) -> SharePool:
    pool = stage.upstream.origins[0].pool
    assert isinstance(pool, SharePool)
    return pool


# -- requests and responses -------------------------------------------------------------------------------------------
def test_requests_one_after_the_other_use_one_connection() -> None:
    """With and without bodies; the origin sees the authority, what edge says of the visitor, and a plain scheme."""

    async def main() -> None:
        async with h2c(say_ok) as (stage, (origin,)):
            assert (await stage.get()).body == b"ok"
            assert (await stage.post(b"abc")).body == b"ok"
            assert (await stage.post(b"x" * 100_000, known=False)).status == 200
            assert len(origin.lines) == 1
            first, second, third = origin.calls
            assert first.fields[:4] == [
                (b":method", b"GET"),
                (b":scheme", b"http"),
                (b":authority", b"a.test"),
                (b":path", b"/"),
            ]
            assert (first.field(b"x-forwarded-proto"), first.field(b"host"), first.field(b"te")) == (
                b"https",
                None,
                None,
            )
            assert (bytes(second.body), second.field(b"content-length")) == (b"abc", b"3")
            assert (len(third.body), third.field(b"content-length")) == (100_000, b"100000")
            assert len(pool_of(stage)) == 1

    asyncio.run(main())


def test_requests_at_the_same_time_share_a_connection() -> None:
    """The first opens it, the others wait for the same one instead of opening theirs."""

    async def together(call: Call) -> None:
        await call.until(lambda: len(call.line.calls) == 50)
        await say_ok(call)

    async def main() -> None:
        async with h2c(together) as (stage, (origin,)):
            exchanges = [stage.begin(request_of()) for _ in range(50)]
            for exchange in exchanges:
                assert (await stage.finish(exchange)).body == b"ok"
            assert len(origin.lines) == 1

    asyncio.run(main())


def test_a_full_connection_gets_a_second_one() -> None:
    """Never more streams on one than the origin allows."""
    most = 0

    async def app(call: Call) -> None:
        nonlocal most
        most = max(most, sum(not each.is_answered for each in call.line.calls.values()))
        await call.until(lambda: len(origins[0].calls) == 5)
        call.is_answered = True
        await say_ok(call)

    origins: list[HTTP2Origin] = []

    async def main() -> None:
        async with h2c(app, max_streams=2) as (stage, found):
            origins.extend(found)
            exchanges = [stage.begin(request_of()) for _ in range(5)]
            await until(lambda: len(origins[0].calls) == 5)
            for line in origins[0].lines:
                async with line.changed:
                    line.changed.notify_all()
            for exchange in exchanges:
                assert (await stage.finish(exchange)).status == 200
            assert len(origins[0].lines) == 3
            assert most == 2

    asyncio.run(main())


def test_beyond_the_most_connections_requests_wait_for_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """First in, first out; none of them fails."""
    monkeypatch.setattr(share_pool, "ORIGIN_CONNECTIONS", 2)

    async def main() -> None:
        async with h2c(say_ok, max_streams=1) as (stage, (origin,)):
            exchanges = [stage.begin(request_of(target=b"/%d" % number)) for number in range(9)]
            for exchange in exchanges:
                assert (await stage.finish(exchange)).status == 200
            assert len(origin.lines) == 2
            targets = [call.field(b":path") or b"" for call in origin.calls]
            assert sorted(targets) == targets

    asyncio.run(main())


def test_a_unix_socket_carries_http2_as_well(tmp_path: Path) -> None:
    """`h2c+unix:`."""

    async def main() -> None:
        async with HTTP2Origin(say_ok, str(tmp_path / "s")) as origin, scene(addresses=[origin.address]) as stage:
            assert (await stage.get()).body == b"ok"

    asyncio.run(main())


def test_heads_without_a_body_are_told_as_a_whole() -> None:
    """HEAD, 204, an empty answer, an error in trailers-only form: head and end are one."""

    async def app(call: Call) -> None:
        length = (b"content-length", b"5")
        call.head(*((200, length) if call.field(b":method") == b"HEAD" else (204,)), end=True)

    async def main() -> None:
        async with h2c(app) as (stage, _):
            head = await stage.get(b"HEAD")
            assert (head.status, head.head and head.head.content_length, head.is_ended) == (200, 5, True)
            assert (await stage.get()).status == 204

    asyncio.run(main())


def test_interim_heads_and_trailers_reach_the_visitor() -> None:
    """103 before the head, trailers behind the body."""

    async def app(call: Call) -> None:
        call.interim(103, (b"link", b"</a>"))
        call.head()
        await call.data(b"body")
        call.trailers((b"x-sum", b"1"), (b"set-cookie", b"no"))

    async def main() -> None:
        async with h2c(app) as (stage, _):
            exchange = await stage.get()
            assert exchange.interim == [(103, ((b"link", b"</a>"),))]
            assert (exchange.body, exchange.trailers) == (b"body", ((b"x-sum", b"1"),))

    asyncio.run(main())


def test_te_is_passed_on_from_a_visitor_who_said_it() -> None:
    """`te: trailers`, which gRPC servers insist on."""

    async def main() -> None:
        async with h2c(say_ok) as (stage, (origin,)):
            await stage.finish(stage.begin(request_of(accepts_trailers=True)))
            assert origin.calls[0].field(b"te") == b"trailers"

    asyncio.run(main())


def test_a_websocket_is_refused_clearly() -> None:
    """502 with its own reason; the connection goes on."""

    async def main() -> None:
        async with h2c(say_ok) as (stage, (origin,)):
            exchange = await stage.finish(stage.begin(request_of(upgrade=b"websocket")))
            assert exchange.status == 502
            assert b"WebSocket" in exchange.body
            assert not origin.calls
            assert (await stage.get()).status == 200
            assert len(origin.lines) == 1

    asyncio.run(main())


# -- pace -------------------------------------------------------------------------------------------------------------
STREAM = (b"content-type", b"text/event-stream")


def test_a_visitor_who_is_slow_stops_the_origin_and_nobody_else() -> None:
    """One window of a stream is on its way, no more; other responses over the same connection go on."""
    sent = 0

    async def app(call: Call) -> None:
        nonlocal sent
        if call.field(b":path") != b"/slow":
            await say_ok(call)
            return
        call.head(200, STREAM)
        for _ in range(64):
            await call.data(bytes(16_384))
            sent += 16_384
        await call.data(b"end", end=True)

    async def main() -> None:
        async with h2c(app) as (stage, (origin,)):
            slow = stage.begin(request_of(target=b"/slow"), capacity=1000)
            await until(lambda: sent >= ORIGIN_STREAM_WINDOW)
            for _ in range(20):
                assert (await stage.get()).body == b"ok"
            assert sent <= ORIGIN_STREAM_WINDOW + 16_384
            assert len(slow.body) <= 3 * 16_384
            while not slow.is_over:
                slow.take(100_000)
                await settle()
            assert len(slow.body) == 64 * 16_384 + 3
            assert len(origin.lines) == 1

    asyncio.run(main())


def test_an_origin_that_does_not_read_stops_the_visitor() -> None:
    """Its window, and what waits to be sent: then the visitor's body is paused until it reads on."""

    async def app(call: Call) -> None:
        call.is_reading = False
        await call.until(lambda: len(call.body) >= 65_535)
        stuck.set()
        await go_on.wait()
        call.read_on()
        await say_ok(call)

    stuck, go_on = asyncio.Event(), asyncio.Event()

    async def main() -> None:
        async with h2c(app) as (stage, (origin,)):
            length = 1_000_000
            exchange = stage.begin(request_of(b"POST", content_length=length))
            fed = stage.feed_until_paused(exchange)
            while not exchange.is_body_paused or not stuck.is_set():
                if not exchange.is_body_paused:
                    fed += stage.feed_until_paused(exchange)
                await settle()
            assert fed < 400_000
            go_on.set()
            while fed < length:
                await until(lambda: not exchange.is_body_paused)
                size = min(50_000, length - fed)
                stage.feed(exchange, bytes(size), end=fed + size == length)
                fed += size
            assert (await stage.finish(exchange)).body == b"ok"
            assert len(origin.calls[0].body) == length

    asyncio.run(main())


# -- failures ---------------------------------------------------------------------------------------------------------
def test_an_origin_that_is_down_is_502() -> None:
    """As for HTTP/1.1."""

    async def main() -> None:
        async with scene(addresses=[UpstreamAddress("127.0.0.1", free_port(), protocol=H2C)]) as stage:
            exchange = await stage.get()
            assert (exchange.status, b"not running" in exchange.body) == (502, True)

    asyncio.run(main())


def test_a_refused_stream_is_sent_again_even_with_a_body() -> None:
    """REFUSED_STREAM and GOAWAY promise that nothing was done (RFC 9113 §8.7)."""

    async def app(call: Call) -> None:
        await call.complete()
        if len(origins[0].calls) == 1:
            call.reset(REFUSED_STREAM)
        elif len(origins[0].calls) == 2:
            call.line.go_away(call.stream_id - 2)
        else:
            await say_ok(call)

    origins: list[HTTP2Origin] = []

    async def main() -> None:
        async with h2c(app) as (stage, found):
            origins.extend(found)
            assert (await stage.post(b"pay")).body == b"ok"
            assert [bytes(call.body) for call in found[0].calls] == [b"pay"] * 3
            assert len(found[0].lines) == 2

    asyncio.run(main())


def test_an_origin_that_refuses_for_ever_is_503() -> None:
    """After two more attempts."""

    async def app(call: Call) -> None:
        call.reset(REFUSED_STREAM)

    async def main() -> None:
        async with h2c(app) as (stage, (origin,)):
            assert (await stage.get()).status == 503
            assert len(origin.calls) == 3

    asyncio.run(main())


def test_a_post_that_may_have_been_acted_upon_is_not_sent_again() -> None:
    """A reset without promise, or a connection that is lost."""

    async def app(call: Call) -> None:
        await call.complete()
        call.reset(INTERNAL_ERROR) if len(origins[0].calls) == 1 else call.line.drop()

    origins: list[HTTP2Origin] = []

    async def main() -> None:
        async with h2c(app) as (stage, found):
            origins.extend(found)
            for _ in range(2):
                assert (await stage.post(b"pay")).status == 502
            assert len(found[0].calls) == 2

    asyncio.run(main())


def test_after_goaway_streams_finish_and_new_ones_go_elsewhere() -> None:
    """A graceful restart costs nobody anything."""

    async def app(call: Call) -> None:
        if call.line.number == 1:
            call.head(200)
            call.line.go_away(call.stream_id)
            await go_on.wait()
            await call.data(b"old", end=True)
        else:
            await say_ok(call)

    go_on = asyncio.Event()

    async def main() -> None:
        async with h2c(app) as (stage, (origin,)):
            old = stage.begin(request_of())
            await until(lambda: old.head_sent)
            await settle()
            assert (await stage.get()).body == b"ok"
            go_on.set()
            assert (await stage.finish(old)).body == b"old"
            await until(lambda: not origin.lines[0].is_open)
            assert len(origin.lines) == 2

    asyncio.run(main())


def test_a_response_that_breaks_off_is_not_whole_for_the_visitor() -> None:
    """By a reset or by the end of the connection, behind the head."""

    async def app(call: Call) -> None:
        call.head(200, (b"content-length", b"10"))
        await call.data(b"half")
        call.reset(INTERNAL_ERROR) if call.field(b":path") == b"/reset" else call.line.drop()

    async def main() -> None:
        async with h2c(app) as (stage, _):
            for target in (b"/reset", b"/drop"):
                exchange = await stage.get(target=target)
                assert exchange.abort_reason == "upstream-truncated"

    asyncio.run(main())


def test_a_visitor_who_leaves_cancels_the_stream_only() -> None:
    """The origin sees RST_STREAM CANCEL; the connection serves on."""

    async def app(call: Call) -> None:
        if call.field(b":path") == b"/long":
            codes.append(await call.cancelled())
        else:
            await say_ok(call)

    codes: list[int] = []

    async def main() -> None:
        async with h2c(app) as (stage, (origin,)):
            exchange = stage.begin(request_of(target=b"/long"))
            await until(lambda: bool(origin.calls))
            exchange.go_away()
            await until(lambda: bool(codes))
            assert codes == [CANCEL]
            assert (await stage.get()).body == b"ok"
            assert len(origin.lines) == 1

    asyncio.run(main())


def test_a_visitor_who_leaves_before_the_connection_is_open_leaves_no_trace() -> None:
    """Others who wait for the same connection get it."""

    async def main() -> None:
        async with h2c(say_ok) as (stage, (origin,)):
            first, second = stage.begin(request_of()), stage.begin(request_of())
            first.go_away()
            assert (await stage.finish(second)).body == b"ok"
            assert (len(origin.lines), len(origin.calls)) == (1, 1)

    asyncio.run(main())


def test_an_http1_server_at_the_address_is_told_apart() -> None:
    """502 that says what is wrong, instead of a timeout."""

    async def http1(visit: Visit) -> None:
        await visit.send(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

    async def main() -> None:
        async with ScriptedOrigin(http1) as origin:
            address = structs.replace(origin.address, protocol=H2C)
            async with scene(addresses=[address]) as stage:
                exchange = await stage.get()
                assert (exchange.status, b"HTTP/2" in exchange.body) == (502, True)

    asyncio.run(main())


# -- deadlines --------------------------------------------------------------------------------------------------------
async def never(call: Call) -> None:
    """Reads the request and says nothing."""
    await call.complete()


async def half(call: Call) -> None:
    """Begins to answer."""
    call.head(200, (b"content-length", b"10"))
    await call.data(b"half")


@pytest.mark.parametrize(("app", "seconds"), [(never, FIRST_BYTE_TIMEOUT), (half, UPSTREAM_IDLE_TIMEOUT)])
def test_a_page_that_hangs_is_given_up(app: App, seconds: float) -> None:
    """504, or a response that is cut; the stream is cancelled and the connection serves on."""

    async def main() -> None:
        async with h2c(app) as (stage, (origin,)):
            exchange = stage.begin(request_of())
            await until(lambda: bool(origin.calls) and (app is never or exchange.body == b"half"))
            await settle()
            stage.pass_time(seconds - 1)
            assert not exchange.is_over
            stage.pass_time(seconds + 1)
            assert exchange.abort_reason == "upstream-idle-timeout" if app is half else exchange.status == 504
            assert await origin.calls[0].cancelled() == CANCEL
            assert origin.lines[0].is_open

    asyncio.run(main())


def test_a_connection_that_nobody_needs_is_closed_in_order() -> None:
    """With GOAWAY, a minute after its last stream."""

    async def main() -> None:
        async with h2c(say_ok) as (stage, (origin,)):
            await stage.get()
            stage.pass_time(ORIGIN_IDLE_TIMEOUT - 1)
            await settle()
            assert origin.lines[0].is_open
            stage.pass_time(ORIGIN_IDLE_TIMEOUT + 1)
            await until(lambda: not origin.lines[0].is_open)
            assert origin.lines[0].has_goaway
            assert len(pool_of(stage)) == 0

    asyncio.run(main())


def test_a_silent_connection_is_asked_by_ping() -> None:
    """An answer keeps it for as long again; without one everything on it fails."""

    async def main() -> None:
        async with h2c(never) as (stage, (origin,)):
            exchange = grpc(stage)
            await until(lambda: bool(origin.calls))
            (line,) = origin.lines
            stage.pass_time(ORIGIN_PING_INTERVAL - INSPECTION)
            await settle()
            assert line.pings == 0
            stage.pass_time(ORIGIN_PING_INTERVAL + INSPECTION)
            await until(lambda: line.pings == 1)
            await settle()
            line.hang()
            stage.pass_time(ORIGIN_PING_INTERVAL + 2 * INSPECTION)
            await settle()
            assert not exchange.is_over
            stage.pass_time(ORIGIN_PING_INTERVAL + 3 * INSPECTION + ORIGIN_PING_TIMEOUT)
            assert exchange.status == 504
            line.drop()

    asyncio.run(main())


# -- messages ---------------------------------------------------------------------------------------------------------
GRPC = (b"content-type", b"application/grpc+proto")


def grpc(stage: Scene, capacity: float = float("inf")) -> FakeExchange:
    """The beginning of a call."""
    return stage.begin(request_of(b"POST", content_length=None, fields=[GRPC], accepts_trailers=True), capacity)


def test_messages_pass_both_ways_as_they_come() -> None:
    """The origin sees each before the next is sent, and answers before the request has ended."""

    async def echo(call: Call) -> None:
        call.head(200, GRPC)
        while not call.is_complete:
            await call.until(lambda: bool(call.body) or call.is_complete)
            piece = bytes(call.body)
            call.body.clear()
            await call.data(piece)
        call.trailers((b"grpc-status", b"0"))

    async def main() -> None:
        async with h2c(echo) as (stage, (origin,)):
            exchange = grpc(stage)
            assert exchange.may_body_rest
            said = b""
            for message in (b"one", b"two", b"three"):
                stage.feed(exchange, message, end=False)
                said += message
                await until(lambda: exchange.body == said)  # noqa: B023  # waited for in the same turn
            stage.feed(exchange)
            await stage.finish(exchange)
            assert exchange.trailers == ((b"grpc-status", b"0"),)
            assert origin.calls[0].field(b"te") == b"trailers"
            assert origin.calls[0].field(b"content-length") is None

    asyncio.run(main())


def test_a_call_may_be_silent_for_hours() -> None:
    """No deadline of pages applies: not to the first byte, not between messages of either side."""

    async def main() -> None:
        async with h2c(never) as (stage, (origin,)):
            exchange = grpc(stage)
            stage.feed(exchange, b"subscribe")
            await until(lambda: bool(origin.calls) and origin.calls[0].is_complete)
            stage.pass_time(ORIGIN_PING_INTERVAL - 1)
            assert not exchange.is_over
            exchange.go_away()
            assert await origin.calls[0].cancelled() == CANCEL

    asyncio.run(main())


def test_a_call_that_was_refused_is_sent_again_from_its_beginning() -> None:
    """As long as its beginning is kept: until an answer, and up to a limit."""

    async def app(call: Call) -> None:
        await call.until(lambda: len(call.body) >= 5)
        if len(origins[0].calls) == 1:
            call.reset(REFUSED_STREAM)
        else:
            assert await call.complete() == b"hello world"
            call.head(200, GRPC, (b"grpc-status", b"0"), end=True)

    origins: list[HTTP2Origin] = []

    async def main() -> None:
        async with h2c(app) as (stage, found):
            origins.extend(found)
            exchange = grpc(stage)
            stage.feed(exchange, b"hello", end=False)
            await until(lambda: len(found[0].calls) == 2)
            stage.feed(exchange, b" world")
            assert (await stage.finish(exchange)).field("grpc-status") == "0"

    asyncio.run(main())


def test_a_long_call_that_was_refused_is_503() -> None:
    """What has been forgotten cannot be sent again."""

    async def app(call: Call) -> None:
        await call.until(lambda: len(call.body) >= 65_535)
        call.reset(REFUSED_STREAM)

    async def main() -> None:
        async with h2c(app) as (stage, (origin,)):
            exchange = grpc(stage)
            await until(lambda: bool(origin.calls))
            stage.feed(exchange, bytes(70_000), end=False)
            assert (await stage.finish(exchange)).status == 503
            assert len(origin.calls) == 1

    asyncio.run(main())


def test_the_limit_of_bodies_holds_for_calls() -> None:
    """413 before an answer, and the origin's stream is cancelled."""

    async def main() -> None:
        async with h2c(never) as (stage, (origin,)):
            exchange = grpc(stage)
            await until(lambda: bool(origin.calls))
            while not exchange.is_over:
                if not exchange.is_body_paused:
                    stage.feed(exchange, bytes(60_000), end=False)
                await settle()
            assert exchange.status == 413
            assert await origin.calls[0].cancelled() == CANCEL

    asyncio.run(main())


def test_a_call_is_held_while_the_origin_restarts() -> None:
    """What has come of it waits along, and is sent when somebody listens again."""

    async def main() -> None:
        port = free_port()
        address = UpstreamAddress("127.0.0.1", port, protocol=H2C)
        async with scene(addresses=[address], balancing=Balancing(hold_seconds=5)) as stage:
            async with HTTP2Origin(say_ok, port=port) as origin:
                assert (await stage.get()).status == 200
                origin.lines[0].close()
            exchanges = [stage.begin(request_of()) for _ in range(3)]
            call = grpc(stage)
            stage.feed(call, b"waits")
            await settle()
            assert not call.is_over
            async with HTTP2Origin(say_ok, port=port) as origin:
                for exchange in (*exchanges, call):
                    assert (await stage.finish(exchange)).status == 200
                assert bytes(origin.calls[-1].body) == b"waits" or any(each.body == b"waits" for each in origin.calls)
                assert len(origin.lines) == 1
                stage.upstream.close()
                await until(lambda: not origin.lines[0].is_open)

    asyncio.run(main())


# -- several origins --------------------------------------------------------------------------------------------------
def test_calls_are_balanced_and_an_origin_that_is_down_is_passed_over() -> None:
    """As over HTTP/1.1."""

    async def main() -> None:
        nobody = UpstreamAddress("127.0.0.1", free_port(), protocol=H2C)
        async with HTTP2Origin(say_ok) as first, HTTP2Origin(say_ok) as second:
            stage_of = scene(addresses=[first.address, nobody, second.address])
            async with stage_of as stage:
                for _ in range(9):
                    assert (await stage.get()).status == 200
                assert len(first.calls) + len(second.calls) == 9
                assert min(len(first.calls), len(second.calls)) >= 3
                assert (len(first.lines), len(second.lines)) == (1, 1)
                stage.upstream.close()
                await until(lambda: not (first.lines[0].is_open or second.lines[0].is_open))

    asyncio.run(main())


def test_health_is_asked_over_the_connection_there_is() -> None:
    """A probe is a stream like any other."""

    async def main() -> None:
        async with h2c(say_ok, balancing=Balancing(hold_seconds=0, health="/healthz")) as (stage, (origin,)):
            await until(lambda: bool(origin.calls))
            assert origin.calls[0].field(b":path") == b"/healthz"
            assert (await stage.get()).status == 200
            assert len(origin.lines) == 1

    asyncio.run(main())


# -- what is easily forgotten -----------------------------------------------------------------------------------------
def test_a_post_does_not_use_a_connection_that_has_ended() -> None:
    """The kernel is asked first, and a new connection is opened."""

    async def main() -> None:
        async with h2c(say_ok) as (stage, (origin,)):
            await stage.get()
            (connection,) = pool_of(stage)._connections
            assert connection._stream
            connection._stream.sock.shutdown(socket.SHUT_RD)  # what the kernel knows after a FIN
            assert (await stage.post(b"pay")).status == 200
            assert len(origin.lines) == 2

    asyncio.run(main())


def test_small_pieces_for_a_slow_visitor_weigh_what_they_are_long() -> None:
    """A message a frame, while nobody takes them: they wait as one piece."""

    async def app(call: Call) -> None:
        call.head(200, STREAM)
        for _ in range(2000):
            await call.data(b"tick")
        await call.data(b"", end=True)
        done.set()

    done = asyncio.Event()

    async def main() -> None:
        async with h2c(app) as (stage, _):
            exchange = stage.begin(request_of(), capacity=1)
            await asyncio.wait_for(done.wait(), 5)
            await settle()
            assert not exchange.is_over
            before = len(exchange.slices)
            exchange.take(100_000)
            await stage.finish(exchange)
            assert exchange.body == b"tick" * 2000
            assert len(exchange.slices) <= before + 2

    asyncio.run(main())


def test_an_origin_that_allows_no_stream_is_busy() -> None:
    """SETTINGS with no stream at all: asked again until the time is up, then 503."""

    async def main() -> None:
        async with h2c(say_ok, max_streams=0) as (stage, (origin,)):
            exchange = stage.begin(request_of())
            await until(lambda: len(origin.lines) > 1)
            stage.pass_time(CONNECT_TIMEOUT + 1)
            assert exchange.status == 503

    asyncio.run(main())


def test_a_connection_that_breaks_the_protocol_is_left() -> None:
    """Every request on it fails as 502, the next one gets a new connection."""

    async def app(call: Call) -> None:
        if call.line.number == 1:
            call.line.garble()
        else:
            await say_ok(call)

    async def main() -> None:
        async with h2c(app) as (stage, (origin,)):
            assert (await stage.get()).status == 502
            assert (await stage.get()).status == 200
            assert len(origin.lines) == 2

    asyncio.run(main())
