"""A visitor's HTTP/2 connection: deadlines, back-pressure and ends, with both engines."""

from __future__ import annotations

import pytest

from edge.http.exchange import Exchange
from edge.http.limits import (
    BODY_IDLE_TIMEOUT,
    HANDSHAKE_TIMEOUT,
    HEAD_TIMEOUT,
    HIGH_WATER,
    KEEP_ALIVE_TIMEOUT,
    LINGER_TIMEOUT,
    MIN_BODY_RATE,
    SEND_TIMEOUT,
)
from edge.http.message import ResponseHead
from edge.server.connection import DRAIN_GRACE, INSPECTION
from tests.server.fakes import Recorder, Visit
from tests.wire import http2_frames as wire
from tests.wire.http2_peer import KINDS, make_engine

TICK = 0.5
GRACE = INSPECTION + 1
"""How late a stuck stream may be noticed."""


class Guest(Visit):
    """A visit over HTTP/2 whose handler keeps every exchange, or answers at once where the path is /now."""

    def __init__(self, kind: str, settings: dict[int, int] | None = None, opening: bytes | None = None) -> None:
        self.recorders: dict[int, Recorder] = {}
        self.frames: list[wire.Frame] = []
        self._reader = wire.FrameReader()
        super().__init__(self._handle, make_engine(kind))
        self.receive(wire.opening(settings) if opening is None else opening)

    def _handle(self, exchange: Exchange) -> None:
        if exchange.request.target == b"/now":
            exchange.respond(ResponseHead(200, (), 2), b"ok")
        else:
            self.recorders[2 * len(self.recorders) + 1] = Recorder(exchange)

    def look(self) -> list[wire.Frame]:
        """All frames so far."""
        self.frames += self._reader.read(self.take())
        return self.frames

    def seen(self, kind: int, stream_id: int) -> list[wire.Frame]:
        return [each for each in self.look() if (each.kind, each.stream_id) == (kind, stream_id)]

    def is_served(self, stream_id: int) -> bool:
        """Whether one more request is answered."""
        self.receive(wire.headers(stream_id, (*wire.GET[:3], (b":path", b"/now"))))
        return b"ok" in [each.payload for each in self.seen(wire.DATA, stream_id)]

    @property
    def is_over(self) -> bool:
        return self.stream.is_closing


@pytest.fixture(params=KINDS)
def guest(request: pytest.FixtureRequest) -> Guest:
    return Guest(request.param)


def test_an_idle_connection_is_closed(guest: Guest) -> None:
    """With GOAWAY, after the keep-alive timeout; pings do not prolong it."""
    assert guest.is_served(1)
    for _ in range(int(KEEP_ALIVE_TIMEOUT) // 5 - 1):
        guest.wait(5)
        guest.receive(wire.ping())
        assert not guest.is_over
    guest.wait(6)
    assert guest.is_over
    assert guest.seen(wire.GOAWAY, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [1, 20, 30])
def test_a_preface_must_come_in_time(kind: str, cut: int) -> None:
    """Half an opening holds a connection no longer than half a head."""
    guest = Guest(kind, opening=wire.opening()[:cut])
    guest.wait(HEAD_TIMEOUT - TICK)
    assert not guest.is_over
    guest.wait(2 * TICK)
    assert guest.is_over


@pytest.mark.parametrize("kind", KINDS)
def test_silence_instead_of_a_preface(kind: str) -> None:
    """A connection on which nothing is ever said ends like an idle one."""
    guest = Guest(kind, opening=b"")
    guest.wait(max(HANDSHAKE_TIMEOUT, KEEP_ALIVE_TIMEOUT) + TICK)
    assert guest.is_over


def test_a_head_must_come_in_time(guest: Guest) -> None:
    """A header block that does not end takes its connection with it, however its frames trickle in."""
    block = wire.block(wire.GET)
    guest.receive(wire.frame(wire.HEADERS, 1, 1, block[:5]))
    for start in range(5, 9):
        guest.wait(HEAD_TIMEOUT / 5)
        guest.receive(wire.frame(wire.CONTINUATION, 0, 1, block[start : start + 1]))
        assert not guest.is_over
    guest.wait(HEAD_TIMEOUT / 5 + TICK)
    assert guest.is_over
    assert not guest.recorders


def test_a_body_that_stops_is_answered_with_408(guest: Guest) -> None:
    """Only its own stream ends."""
    guest.receive(wire.headers(1, wire.POST, end=False) + wire.data(1, b"hello"))
    guest.wait(BODY_IDLE_TIMEOUT + TICK)
    assert guest.recorders[1].heard == ["body-too-slow"]
    assert guest.records[-1][0] == 408
    assert not guest.is_over
    assert guest.is_served(3)


def test_a_body_that_drips_is_answered_with_408(guest: Guest) -> None:
    """A byte a second is below the minimum rate."""
    guest.receive(wire.headers(1, wire.POST, end=False))
    for _ in range(int(BODY_IDLE_TIMEOUT) + 5):
        guest.receive(wire.data(1, b"x"))
        guest.wait(1)
    assert guest.recorders[1].heard == ["body-too-slow"]


def test_a_body_at_a_fair_pace_may_take_its_time(guest: Guest) -> None:
    """Ten minutes, at twice the minimum rate."""
    guest.receive(wire.headers(1, wire.POST, end=False))
    for _ in range(60):
        guest.receive(wire.data(1, b"x" * (20 * MIN_BODY_RATE)))
        guest.wait(10)
    assert guest.recorders[1].heard == []


def test_a_stream_of_messages_may_rest(guest: Guest) -> None:
    """A handler that expects one says so, and no deadline is left for the body."""
    guest.receive(wire.headers(1, wire.POST, end=False) + wire.data(1, b"hello"))
    guest.recorders[1].exchange.let_body_rest()
    guest.wait(5 * BODY_IDLE_TIMEOUT)
    guest.receive(wire.data(1, b" again", end=True))
    assert guest.recorders[1].body == b"hello again"
    assert "body-too-slow" not in guest.recorders[1].heard
    assert guest.is_served(3)


def test_a_paused_body_is_not_the_clients_fault(guest: Guest) -> None:
    """While its handler does not want the body no deadline runs, and credit for one window at most is lent."""
    guest.receive(wire.headers(1, wire.POST, end=False))
    guest.recorders[1].exchange.pause_body()
    guest.receive(b"".join(wire.data(1, b"x" * 16_000) for _ in range(4)))
    guest.wait(10 * BODY_IDLE_TIMEOUT)
    assert guest.recorders[1].heard == []
    assert not guest.seen(wire.WINDOW_UPDATE, 1)
    guest.recorders[1].exchange.resume_body()
    guest.loop.turn()
    assert len(guest.recorders[1].body) == 64_000
    assert guest.seen(wire.WINDOW_UPDATE, 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("finished", [True, False])
def test_a_stream_without_window_is_reset(kind: str, finished: bool) -> None:
    """After the send timeout, whatever other windows are opened meanwhile (CVE-2019-9517); others are served."""
    guest = Guest(kind, {4: 0})
    guest.receive(wire.headers(1))
    exchange = guest.recorders[1].exchange
    exchange.send_head(ResponseHead(200, (), None))
    exchange.send_body(b"x" * 50_000)
    if finished:
        exchange.end()
    for _ in range(int(SEND_TIMEOUT + GRACE) // 4):
        guest.wait(4)
        guest.receive(wire.window_update(0, 1000))
    assert guest.seen(wire.RST_STREAM, 1)
    assert guest.recorders[1].heard == ([] if finished else ["send-timeout"])
    assert guest.is_over == finished  # nothing has been asked for since the keep-alive timeout


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_that_moves_is_not_reset(kind: str) -> None:
    """A slow reader who takes a little now and then keeps his stream."""
    guest = Guest(kind, {4: 0})
    guest.receive(wire.headers(1))
    guest.recorders[1].exchange.respond(ResponseHead(200, (), 400_000), b"x" * 400_000)
    for _ in range(8):
        guest.wait(SEND_TIMEOUT / 2)
        guest.receive(wire.window_update(1, 8192))
    assert not guest.seen(wire.RST_STREAM, 1)


def test_a_socket_that_takes_nothing_ends(guest: Guest) -> None:
    """The connection is cut after the send timeout and the handlers are told."""
    guest.stream.full = True
    guest.receive(wire.headers(1))
    guest.recorders[1].exchange.send_head(ResponseHead(200, (), None))
    guest.recorders[1].exchange.send_body(b"x" * 1000)
    guest.loop.turn()
    guest.wait(SEND_TIMEOUT + TICK)
    assert guest.stream.lost
    assert guest.recorders[1].heard == ["aborted"]


def test_a_peer_that_does_not_read_is_not_read(guest: Guest) -> None:
    """Until it reads again: then what it asked meanwhile is answered."""
    guest.stream.full = True
    asked = 0
    while guest.stream.reading and asked < 5000:
        guest.receive(wire.headers(2 * asked + 1, (*wire.GET[:3], (b":path", b"/now"))))
        asked += 1
    assert asked < 5000
    guest.stream.drain()
    guest.loop.turn()
    assert guest.stream.reading
    assert len([each for each in guest.look() if each.kind == wire.DATA]) == asked
    assert guest.is_served(2 * asked + 1)


def test_a_slow_client_stops_the_source(guest: Guest) -> None:
    """Above HIGH_WATER the handler is asked to wait; it hears when it may go on."""
    guest.receive(wire.headers(1))
    recorder = guest.recorders[1]
    recorder.exchange.send_head(ResponseHead(200, (), None))
    sent = 0
    while recorder.exchange.can_send:
        recorder.exchange.send_body(b"x" * 16_384)
        guest.loop.turn()
        sent += 16_384
    assert sent <= HIGH_WATER + 65_535 + 16_384
    guest.receive(wire.window_update(0, 1 << 20) + wire.window_update(1, 1 << 20))
    assert recorder.heard == ["resume"]


def test_a_refused_request_leaves_nothing_open(guest: Guest) -> None:
    """Its body never comes, and the connection idles out all the same."""
    bad = (*wire.POST, (b"x-bad", b"a\x01b"))
    guest.receive(wire.headers(1, bad, end=False))
    guest.wait(KEEP_ALIVE_TIMEOUT + GRACE)
    assert guest.is_over


def test_an_answered_upload_leaves_nothing_open(guest: Guest) -> None:
    """An early answer, then silence instead of the body."""
    guest.receive(wire.headers(1, wire.POST, end=False) + wire.data(1, b"x" * 1000))
    guest.recorders[1].exchange.respond(ResponseHead(413, (), 2), b"no")
    guest.loop.turn()
    guest.wait(KEEP_ALIVE_TIMEOUT + LINGER_TIMEOUT + GRACE)
    assert guest.is_over


def test_a_reset_is_told_to_the_handler(guest: Guest) -> None:
    """Once, and the exchange is dead."""
    guest.receive(wire.headers(1))
    guest.receive(wire.rst_stream(1))
    assert guest.recorders[1].heard == ["client-reset"]
    guest.recorders[1].exchange.respond(ResponseHead(200, (), 2), b"ok")
    guest.loop.turn()
    assert not guest.seen(wire.HEADERS, 1)
    assert guest.is_served(3)


def test_a_lost_connection_is_told_to_every_handler(guest: Guest) -> None:
    """And nothing remains."""
    guest.receive(b"".join(wire.headers(2 * n + 1) for n in range(20)))
    guest.stream.abort()
    assert [each.heard for each in guest.recorders.values()] == [["aborted"]] * 20
    assert not guest.server.connections
    assert len(guest.deadlines) == 1  # the reception, which outlives all of them


def test_a_drain_answers_what_is_in_flight(guest: Guest) -> None:
    """GOAWAY twice; a request that crossed the first is answered, then the connection closes."""
    guest.receive(wire.headers(1))
    guest.server.begin_drain()
    guest.loop.turn()
    assert guest.is_served(3)
    guest.wait(DRAIN_GRACE + TICK)
    assert [each.number for each in guest.seen(wire.GOAWAY, 0)] == [(1 << 31) - 1, 3]
    assert not guest.is_over
    guest.recorders[1].exchange.respond(ResponseHead(200, (), 2), b"ok")
    guest.loop.turn()
    assert guest.is_over


def test_a_violation_ends_everything(guest: Guest) -> None:
    """GOAWAY with its code reaches the client, handlers are told, and input is not looked at any more."""
    guest.receive(wire.headers(1))
    guest.receive(wire.frame(wire.DATA, 0, 0, b"x") + wire.headers(3))
    assert guest.seen(wire.GOAWAY, 0)[-1].code
    assert list(guest.recorders) == [1]
    assert guest.recorders[1].heard
    assert guest.is_over
