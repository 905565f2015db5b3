"""WebSockets between a fake visitor and real origins: the handshake, bytes both ways, and every way to end."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

from edge.http.limits import FIRST_BYTE_TIMEOUT, SEND_TIMEOUT, UPSTREAM_IDLE_TIMEOUT
from edge.http.websocket import accept_of
from tests.fakes import FakeExchange
from tests.handlers.scenes import PIECE, Scene, request_of, scene
from tests.upstream.origins import Script, Visit, hang, settle, until

FIELDS = ((b"sec-websocket-version", b"13"), (b"sec-websocket-protocol", b"chat"))
HANDSHAKE = request_of(upgrade=b"websocket", fields=(*FIELDS, (b"sec-websocket-key", b"visitors-own-key")))
CONNECT = request_of(b"CONNECT", upgrade=b"websocket", fields=FIELDS, content_length=None)


async def switch(visit: Visit, behind: bytes = b"") -> None:
    """Read a handshake and answer as RFC 6455 asks."""
    head = await visit.head()
    found = re.search(rb"\r\nsec-websocket-key: (\S+)\r\n", head)
    assert found
    await visit.send(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: chat\r\n"
        b"Sec-WebSocket-Accept: " + accept_of(found.group(1)) + b"\r\n\r\n" + behind
    )


async def echo(visit: Visit) -> None:
    """Everything back; at the end of input, a last word."""
    await switch(visit, b"welcome")
    while data := await visit.reader.read(65536):
        await visit.send(data)
    await visit.send(b"bye")


def plays(test: Callable[[Scene], Awaitable[None]], *scripts: Script) -> None:
    async def main() -> None:
        async with scene(*scripts) as stage:
            await test(stage)

    asyncio.run(main())


async def opened(stage: Scene, capacity: float = float("inf")) -> FakeExchange:
    exchange = stage.begin(HANDSHAKE, capacity)
    await until(lambda: exchange.head_sent)
    assert exchange.status == 101
    return exchange


def test_the_handshake_as_the_origin_sees_it() -> None:
    """A GET with a key of our own and the fields of any proxied request; the visitor's key stays behind."""

    async def test(stage: Scene) -> None:
        for request in (HANDSHAKE, CONNECT):
            exchange = stage.begin(request)
            await until(lambda ended=exchange: ended.head_sent)  # type: ignore[misc]  # bound now
            assert exchange.status == (101 if request is HANDSHAKE else 200)
            assert exchange.field("sec-websocket-protocol") == "chat"
            assert exchange.field("sec-websocket-accept") is None
            assert exchange.field("x-request-id") == exchange.request_id
            exchange.go_away()
        for head in stage.origin.heads:
            assert head.startswith(b"GET / HTTP/1.1\r\nhost: a.test\r\n")
            assert b"\r\nconnection: upgrade\r\nupgrade: websocket\r\n" in head
            assert b"\r\nx-forwarded-proto: https\r\n" in head
            assert b"visitors-own-key" not in head
            assert head.count(b"sec-websocket-key: ") == 1
            assert head.count(b"sec-websocket-version: ") == 1
            assert b"content-length" not in head
        assert stage.idle == 0

    plays(test, echo)


def test_bytes_cross_both_ways_and_the_visitors_end_is_passed_on() -> None:
    """The origin may answer it; its own end ends the tunnel."""

    async def test(stage: Scene) -> None:
        exchange = await opened(stage)
        stage.feed(exchange, b"one", b"two", end=False)
        await until(lambda: exchange.body == b"welcomeonetwo")
        stage.feed(exchange, b"three")
        await stage.finish(exchange)
        assert exchange.body == b"welcomeonetwothreebye"
        assert exchange.is_ended
        assert stage.idle == 0

    plays(test, echo)


def test_an_origin_that_says_no_is_passed_on() -> None:
    """Status, fields and body of an ordinary response."""

    async def refuse(visit: Visit) -> None:
        await visit.head()
        await visit.send(b"HTTP/1.1 403 Forbidden\r\nX-Why: no\r\nContent-Length: 2\r\n\r\n", b"no")
        await visit.closed()

    async def test(stage: Scene) -> None:
        for request in (HANDSHAKE, CONNECT):
            exchange = stage.begin(request)
            stage.feed(exchange, b"too early", end=False)
            await stage.finish(exchange)
            assert (exchange.status, exchange.body, exchange.field("x-why")) == (403, b"no", "no")
        assert stage.idle == 0, "a connection of a handshake is not used again"

    plays(test, refuse)


def test_an_ordinary_success_is_no_open_tunnel() -> None:
    """In HTTP/2 a 2xx would say that the tunnel is open (RFC 8441 §5); HTTP/1.1 visitors can tell the difference."""

    async def ignore(visit: Visit) -> None:
        await visit.head()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"hello")
        await visit.closed()

    async def test(stage: Scene) -> None:
        exchange = await stage.finish(stage.begin(CONNECT))
        assert exchange.status == 502
        exchange = await stage.finish(stage.begin(HANDSHAKE))
        assert (exchange.status, exchange.body) == (200, b"hello")

    plays(test, ignore)


def test_a_switch_without_proof_is_a_bad_gateway() -> None:
    """The visitor must not talk to something that does not know it is talking WebSocket."""

    async def lie(visit: Visit) -> None:
        await visit.head()
        await visit.send(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello")
        await visit.closed()

    async def test(stage: Scene) -> None:
        exchange = await stage.finish(stage.begin(HANDSHAKE))
        assert exchange.status == 502
        assert exchange.body.count(b"hello") == 0

    plays(test, lie)


def test_nobody_answers() -> None:
    """The handshake has the deadline of any request."""

    async def test(stage: Scene) -> None:
        exchange = stage.begin(HANDSHAKE)
        await until(lambda: len(stage.origin.heads) == 1)
        stage.pass_time(FIRST_BYTE_TIMEOUT + 1)
        await stage.finish(exchange)
        assert exchange.status == 504

    plays(test, hang)


def test_an_origin_that_does_not_read_stops_the_visitor() -> None:
    """Nothing in between grows; reading goes on when the origin has taken what was sent."""
    go_on = asyncio.Event()

    async def sleep_first(visit: Visit) -> None:
        await switch(visit)
        await go_on.wait()
        while data := await visit.reader.read(65536):
            taken.append(len(data))

    taken: list[int] = []

    async def test(stage: Scene) -> None:
        exchange = await opened(stage)
        fed = stage.feed_until_paused(exchange)
        assert fed < 16 * 1024 * 1024
        go_on.set()
        await until(lambda: not exchange.is_body_paused)
        stage.feed(exchange, b"end")
        await stage.finish(exchange)
        assert sum(taken) == fed + 3

    plays(test, sleep_first)


def test_a_visitor_that_does_not_read_stops_the_origin() -> None:
    """What the origin sends stays with it until the visitor takes more."""
    total = 64 * 1024 * 1024
    sent: list[int] = []

    async def flood(visit: Visit) -> None:
        await switch(visit)
        for _ in range(total // PIECE):
            await visit.send(bytes(PIECE))
            sent.append(PIECE)

    async def test(stage: Scene) -> None:
        exchange = await opened(stage, capacity=1000)
        seen = -1
        while seen != sum(sent):
            seen = sum(sent)
            for _ in range(20):
                await settle()
        assert seen < total / 2
        assert len(exchange.body) < 1024 * 1024
        while not exchange.is_over:
            exchange.take(8 * 1024 * 1024)
            await settle()
        assert len(exchange.body) == total

    plays(test, flood)


def test_silence_ends_no_tunnel() -> None:
    """Neither side's."""

    async def test(stage: Scene) -> None:
        exchange = await opened(stage)
        await until(lambda: exchange.body == b"welcome")
        stage.pass_time(1_000_000)
        stage.feed(exchange, b"still here", end=False)
        await until(lambda: exchange.body == b"welcomestill here")
        exchange.go_away()

    plays(test, echo)


def test_an_origin_that_stops_reading_is_given_up() -> None:
    """With bytes for it and none leaving for SEND_TIMEOUT, even if it talks."""

    async def deaf(visit: Visit) -> None:
        await switch(visit)
        await until(lambda: blocked)
        await visit.send(b"talking")
        await told.wait()

    blocked = False
    told = asyncio.Event()

    async def test(stage: Scene) -> None:
        nonlocal blocked
        exchange = await opened(stage)
        stage.feed_until_paused(exchange)
        blocked = True
        await until(lambda: exchange.body == b"talking")
        stage.pass_time(SEND_TIMEOUT / 2)
        assert not exchange.is_over
        stage.pass_time(SEND_TIMEOUT + 1)
        await stage.finish(exchange)
        assert exchange.abort_reason == "upstream-request-stalled"
        told.set()

    plays(test, deaf)


def test_half_a_tunnel_is_not_kept_for_ever() -> None:
    """An origin that neither answers the visitor's end nor talks is given up after UPSTREAM_IDLE_TIMEOUT."""

    async def stubborn(visit: Visit) -> None:
        await switch(visit)
        await visit.closed()
        await told.wait()

    told = asyncio.Event()

    async def test(stage: Scene) -> None:
        exchange = await opened(stage)
        stage.feed(exchange, b"bye")
        await settle()
        stage.pass_time(UPSTREAM_IDLE_TIMEOUT + 1)
        await stage.finish(exchange)
        assert exchange.abort_reason == "upstream-idle-timeout"
        told.set()

    plays(test, stubborn)


def test_a_visitor_that_goes_away_ends_the_origins_side() -> None:
    """Nothing is left open; the origin sees a reset, not an orderly end."""
    seen: list[str] = []

    async def watch(visit: Visit) -> None:
        await switch(visit)
        try:
            while await visit.reader.read(100):
                pass
            seen.append("end")
        except ConnectionResetError:
            seen.append("reset")

    async def test(stage: Scene) -> None:
        exchange = await opened(stage)
        exchange.go_away()
        await until(lambda: seen == ["reset"])

    plays(test, watch)


def test_an_origin_that_is_reset_aborts_the_tunnel() -> None:
    """The visitor can see that it was no orderly end."""

    async def crash(visit: Visit) -> None:
        await switch(visit)
        await visit.reader.readexactly(2)
        visit.reset()

    async def test(stage: Scene) -> None:
        exchange = await opened(stage)
        stage.feed(exchange, b"hi", end=False)
        await stage.finish(exchange)
        assert exchange.abort_reason is not None

    plays(test, crash)


def test_no_origin() -> None:
    """The error page of any request."""

    async def main() -> None:
        async with scene(echo) as stage:
            address = stage.origin.address
        async with scene(addresses=[address]) as stage:
            exchange = await stage.finish(stage.begin(HANDSHAKE))
            assert exchange.status == 502

    asyncio.run(main())
