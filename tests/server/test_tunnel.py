"""Tunnels on a visitor's connection: what is different from a response, and what is not."""

from __future__ import annotations

import pytest

from edge.http.exchange import Exchange
from edge.http.limits import BODY_IDLE_TIMEOUT, HEAD_TIMEOUT, HIGH_WATER, KEEP_ALIVE_TIMEOUT, SEND_TIMEOUT
from edge.wire.engine import Engine
from edge.wire.http1 import HTTP1Engine
from tests.server.fakes import Recorder, Visit
from tests.wire import http2_frames as wire
from tests.wire.http2_peer import KINDS, make_engine
from tests.wire.test_tunnel import CONNECT, HANDSHAKE, REQUEST

AN_AGE = 10 * (HEAD_TIMEOUT + BODY_IDLE_TIMEOUT + KEEP_ALIVE_TIMEOUT + SEND_TIMEOUT)


class Tunnel(Visit):
    """A visit whose handler keeps the exchange; `open` accepts the handshake."""

    def __init__(self, engine: Engine, *opening: bytes) -> None:
        self.recorders: list[Recorder] = []
        super().__init__(lambda exchange: self.recorders.append(Recorder(exchange)), engine)
        for data in opening:
            self.receive(data)
        self.take()

    @property
    def recorder(self) -> Recorder:
        return self.recorders[0]

    @property
    def exchange(self) -> Exchange:
        return self.recorder.exchange

    def open(self) -> Tunnel:
        self.exchange.open_tunnel(())
        self.loop.turn()
        self.take()
        return self


def http1_tunnel(behind: bytes = b"") -> Tunnel:
    return Tunnel(HTTP1Engine(b"https"), HANDSHAKE + behind)


def http2_tunnel(kind: str) -> Tunnel:
    return Tunnel(make_engine(kind), wire.opening(), wire.headers(1, CONNECT, end=False))


@pytest.fixture(params=["HTTP/1.1", *KINDS])
def tunnel(request: pytest.FixtureRequest) -> Tunnel:
    return http1_tunnel() if request.param == "HTTP/1.1" else http2_tunnel(request.param)


def test_what_lies_behind_the_handshake_reaches_the_handler() -> None:
    """In order, and before what comes later, once the tunnel is open and not earlier."""
    tunnel = http1_tunnel(REQUEST)
    assert tunnel.recorder.body == b""
    tunnel.open()
    assert tunnel.recorder.body == REQUEST
    tunnel.receive(b"later")
    assert tunnel.recorder.body == REQUEST + b"later"
    assert len(tunnel.recorders) == 1


def test_silence_ends_no_tunnel(tunnel: Tunnel) -> None:
    """No deadline of heads, bodies or idle connections runs; the kernel watches over the peer."""
    tunnel.open()
    tunnel.wait(AN_AGE)
    assert tunnel.stream.lost is None
    assert not tunnel.stream.is_closing
    assert tunnel.stream.is_kept_alive
    assert tunnel.recorder.heard == []


def test_silence_before_the_answer_is_the_origins_affair() -> None:
    """A handshake in HTTP/2 has an open body, but nobody waits for it."""
    tunnel = http2_tunnel("h2")
    tunnel.wait(2 * BODY_IDLE_TIMEOUT)
    assert tunnel.recorder.heard == []


def test_a_visitor_that_does_not_read_is_given_up(tunnel: Tunnel) -> None:
    """With bytes to send and none leaving for SEND_TIMEOUT."""
    tunnel.open()
    tunnel.stream.full = True
    tunnel.exchange.send_body(bytes(2 * HIGH_WATER))
    tunnel.loop.turn()
    assert not tunnel.exchange.can_send
    tunnel.wait(SEND_TIMEOUT + 1)
    assert tunnel.stream.lost == "aborted"
    assert tunnel.recorder.heard == ["aborted"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_visitor_that_opens_no_window_is_given_up(kind: str) -> None:
    """The connection lives, the stream does not."""
    tunnel = http2_tunnel(kind).open()
    tunnel.exchange.send_body(bytes(2 * HIGH_WATER))
    tunnel.loop.turn()
    tunnel.wait(2 * SEND_TIMEOUT)
    assert tunnel.recorder.heard == ["send-timeout"]
    assert tunnel.stream.lost is None


def test_the_handler_hears_when_it_may_go_on(tunnel: Tunnel) -> None:
    """Back-pressure towards the visitor is that of any response."""
    tunnel.open()
    tunnel.stream.full = True
    tunnel.exchange.send_body(bytes(2 * HIGH_WATER))
    tunnel.loop.turn()
    assert not tunnel.exchange.can_send
    tunnel.stream.drain()
    if tunnel.connection.engine.multiplexed:
        tunnel.receive(wire.window_update(0, 4 * HIGH_WATER) + wire.window_update(1, 4 * HIGH_WATER))
    assert tunnel.recorder.heard == ["resume"]


def test_small_pieces_count_too(tunnel: Tunnel) -> None:
    """A source that sends little at a time is stopped when that is too much together."""
    tunnel.open()
    tunnel.stream.full = True
    for _ in range(2 * HIGH_WATER // 1024):
        if tunnel.exchange.can_send:
            tunnel.exchange.send_body(bytes(1024))
            tunnel.loop.turn()
    assert not tunnel.exchange.can_send
    assert tunnel.connection.unsent(1) < HIGH_WATER + 2048


def test_a_paused_visitor_is_not_read() -> None:
    """Back-pressure towards the visitor's half stops the socket (HTTP/1.1); what was read waits and comes first."""
    tunnel = http1_tunnel().open()
    tunnel.exchange.pause_body()
    assert not tunnel.stream.reading
    tunnel.receive(b"kept")
    assert tunnel.recorder.body == b""
    tunnel.exchange.resume_body()
    assert tunnel.recorder.body == b"kept"
    assert tunnel.stream.reading


@pytest.mark.parametrize("kind", KINDS)
def test_a_paused_stream_gets_no_credit(kind: str) -> None:
    """Back-pressure in HTTP/2 is a window that is not opened, and the other streams go on."""
    tunnel = http2_tunnel(kind).open()
    tunnel.exchange.pause_body()
    for _ in range(3):
        tunnel.receive(wire.data(1, bytes(16384)))
    frames = wire.FrameReader().read(tunnel.take())
    assert not [frame for frame in frames if frame.kind == wire.WINDOW_UPDATE and frame.stream_id == 1]
    tunnel.exchange.resume_body()
    tunnel.loop.turn()
    assert len(tunnel.recorder.body) == 3 * 16384
    frames = wire.FrameReader().read(tunnel.take())
    assert [frame for frame in frames if frame.kind == wire.WINDOW_UPDATE and frame.stream_id == 1]


def test_a_visitor_may_end_its_half() -> None:
    """The handler hears of it and can still speak; its end closes the connection."""
    tunnel = http1_tunnel().open()
    tunnel.receive(b"last words")
    tunnel.connection.eof_received()
    assert tunnel.recorder.body == b"last words"
    assert tunnel.recorder.heard == ["ended"]
    tunnel.exchange.send_body(b"answer")
    tunnel.exchange.end()
    tunnel.loop.turn()
    assert tunnel.take() == b"answer"
    assert tunnel.stream.is_closing
    assert tunnel.stream.lost is None
    assert tunnel.records == [(101, 6)]


def test_a_visitor_that_leaves_before_the_answer_is_gone() -> None:
    """There is no half of what has not begun."""
    tunnel = http1_tunnel()
    tunnel.connection.eof_received()
    assert tunnel.recorder.heard == ["client-gone"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_may_end_its_half(kind: str) -> None:
    """END_STREAM is the end of one half, as in TCP."""
    tunnel = http2_tunnel(kind).open()
    tunnel.receive(wire.data(1, b"last words", end=True))
    assert tunnel.recorder.body == b"last words"
    assert tunnel.recorder.heard == ["ended"]
    tunnel.exchange.send_body(b"answer")
    tunnel.exchange.end()
    tunnel.loop.turn()
    last = wire.FrameReader().read(tunnel.take())[-1]
    assert last.kind == wire.DATA
    assert last.flags & wire.END_STREAM
    assert tunnel.records == [(200, 6)]


def test_the_handlers_end_closes_in_order(tunnel: Tunnel) -> None:
    """Everything said before is delivered; nothing is reset on HTTP/1.1."""
    tunnel.open()
    tunnel.exchange.send_body(b"bye")
    tunnel.exchange.end()
    tunnel.loop.turn()
    assert b"bye" in tunnel.take()
    assert tunnel.stream.lost is None
    assert tunnel.stream.is_closing is not tunnel.connection.engine.multiplexed


def test_a_drain_waits_for_tunnels(tunnel: Tunnel) -> None:
    """They stay with the old generation until they end or its deadline does."""
    tunnel.open()
    tunnel.server.begin_drain()
    tunnel.wait(30)
    assert not tunnel.stream.is_closing
    tunnel.exchange.send_body(b"still here")
    tunnel.loop.turn()
    assert b"still here" in tunnel.take()
    tunnel.exchange.end()
    tunnel.loop.turn()
    tunnel.wait(2)
    assert tunnel.stream.is_closing


def test_a_refused_handshake_closes_without_reading_what_lies_behind() -> None:
    """The connection says close, and no second request is found in the bytes."""
    tunnel = http1_tunnel(REQUEST)
    tunnel.server.refuse(tunnel.connection, 1, 403, "no")
    tunnel.connection.response_ended(tunnel.connection.exchanges[1])
    assert b"connection: close" in tunnel.take()
    assert len(tunnel.recorders) == 1
