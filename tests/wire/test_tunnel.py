"""Tunnels in the engines: where HTTP ends, and that nothing behind it is read as HTTP or lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.http.limits import MAX_PIPELINED
from edge.http.message import ResponseHead
from edge.http.websocket import accept_of
from edge.wire.engine import BodyReceived, ConnectionEnded, Event, RequestEnded, RequestReceived, RequestRefused
from edge.wire.http1 import HTTP1Engine
from edge.wire.http1_origin import HTTP1OriginEngine
from edge.wire.origin import DataReceived, HeadReceived, InterimReceived, OriginEvent, ResponseEnded, ResponseFailed
from tests.wire import http2_frames as wire
from tests.wire.driving import byte_by_byte, comparable, cut, joined, whole
from tests.wire.http2_peer import Peer

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE = (
    b"GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n\r\n"
)
REQUEST = b"GET /admin HTTP/1.1\r\nHost: a.test\r\n\r\n"
"""What a smuggler would like to be read behind a handshake."""

CUTS = [whole, byte_by_byte]
Cut = Callable[[bytes], list[bytes]]


def feed(engine: HTTP1Engine, pieces: list[bytes]) -> list[Event]:
    return [event for piece in pieces for event in engine.receive_data(piece, 0.0)]


def body_of(events: list[Event]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, BodyReceived))


def opened(pieces: list[bytes]) -> tuple[HTTP1Engine, list[Event]]:
    """An engine that has accepted the handshake among these pieces, and all events since."""
    engine = HTTP1Engine(b"https")
    events = feed(engine, pieces)
    assert [type(event) for event in events] == [RequestReceived]
    assert engine.open_tunnel(1, ((b"sec-websocket-protocol", b"chat"),)) == 101
    return engine, engine.receive_data(b"", 0.0) if engine.has_buffered else []


# -- HTTP/1.1, the visitor's side -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces_of", CUTS)
def test_a_handshake_is_a_request_that_asks_for_a_tunnel(pieces_of: Cut) -> None:
    """Upgrade is known by its kind; the fields that make it are gone, the key stays for the answer."""
    engine = HTTP1Engine(b"https")
    (event,) = feed(engine, pieces_of(HANDSHAKE))
    assert isinstance(event, RequestReceived)
    assert event.ended
    assert event.request.upgrade == b"websocket"
    assert event.request.method == b"GET"
    assert {b"connection", b"upgrade"}.isdisjoint(name for name, _ in event.request.fields)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"WebSocket\r\n", b"h2c\r\n"),
        (b"WebSocket\r\n", b"websocket, h2c\r\n"),
        (b"WebSocket\r\n", b"websocket\r\nUpgrade: h2c\r\n"),
        (b"keep-alive, Upgrade", b"keep-alive"),
        (b"Version: 13", b"Version: 8"),
        (b"Key: " + KEY, b"Key: short"),
        (b"Sec-WebSocket-Key: " + KEY + b"\r\n", b""),
        (b"keep-alive, Upgrade", b"upgrade, sec-websocket-key"),
        (b"GET", b"OPTIONS"),
        (b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
def test_what_is_no_handshake_is_an_ordinary_request(old: bytes, new: bytes) -> None:
    """A server may ignore Upgrade (RFC 9110 §7.8); a tunnel is never opened, and h2c never exists."""
    assert old in HANDSHAKE
    engine = HTTP1Engine(b"https")
    (event,) = feed(engine, [HANDSHAKE.replace(old, new)])
    assert isinstance(event, RequestReceived)
    assert event.request.upgrade == b""
    engine.open_tunnel(1, ())
    assert engine.data_to_send(65536) == b""


def test_a_handshake_with_a_body_is_refused() -> None:
    """Where its body ends and the tunnel begins would be a matter of opinion."""
    engine = HTTP1Engine(b"https")
    (event,) = feed(engine, [HANDSHAKE.replace(b"Upgrade: W", b"Content-Length: 3\r\nUpgrade: W") + b"abc"])
    assert isinstance(event, RequestRefused)
    assert event.status == 400


def test_the_answer_opens_the_tunnel() -> None:
    """101 with the proof for the visitor's key, and what the origin chose."""
    engine, _ = opened([HANDSHAKE])
    assert engine.data_to_send(65536) == (
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        b"sec-websocket-accept: " + accept_of(KEY) + b"\r\nsec-websocket-protocol: chat\r\n\r\n"
    )


@pytest.mark.parametrize("pieces_of", CUTS)
def test_what_lies_behind_the_handshake_is_kept_and_is_not_http(pieces_of: Cut) -> None:
    """A request inside a tunnel is bytes like any others."""
    engine, events = opened(pieces_of(HANDSHAKE + REQUEST))
    events += feed(engine, pieces_of(REQUEST + b"\x00\xff"))
    assert body_of(events) == REQUEST + REQUEST + b"\x00\xff"
    assert {type(event) for event in events} == {BodyReceived}
    assert not engine.head_in_progress
    assert not engine.has_buffered


@given(st.binary(max_size=300), st.lists(st.integers(1, 120), max_size=8))
def test_any_bytes_pass_however_they_are_cut(data: bytes, sizes: list[int]) -> None:
    """Nothing that a tunnel carries has a meaning."""
    engine = HTTP1Engine(b"https")
    pieces = list(cut(HANDSHAKE + data, sizes))
    events: list[Event] = []
    for piece in pieces:
        events += engine.receive_data(piece, 0.0)
        if events and engine.unsent(1) == 0:
            engine.open_tunnel(1, ())
        while engine.has_buffered:
            events += engine.receive_data(b"", 0.0)
    assert body_of(events) == data
    assert [type(event) for event in events + engine.receive_eof()][-1] is RequestEnded


def test_little_is_kept_before_the_answer() -> None:
    """A visitor that talks before it is answered is made to wait, and goes on when the tunnel is open."""
    engine = HTTP1Engine(b"https")
    feed(engine, [HANDSHAKE, bytes(MAX_PIPELINED)])
    assert not engine.wants_data
    engine.open_tunnel(1, ())
    assert body_of(engine.receive_data(b"", 0.0)) == bytes(MAX_PIPELINED)
    assert engine.wants_data


def test_what_was_meant_for_a_refused_tunnel_is_thrown_away() -> None:
    """Behind the refusal the connection ends; the bytes are not looked at."""
    engine = HTTP1Engine(b"https")
    feed(engine, [HANDSHAKE + REQUEST])
    engine.send_response(1, ResponseHead(403, (), 2), b"no")
    assert b"connection: close" in engine.data_to_send(65536)
    assert engine.must_close
    assert engine.receive_data(REQUEST, 0.0) == []


def test_bytes_leave_as_they_are_until_the_end_which_closes() -> None:
    """No chunks, no counting; the end of the response is the end of the connection."""
    engine, _ = opened([HANDSHAKE])
    engine.data_to_send(65536)
    assert engine.send_body(1, b"\x81\x02hi", end=False)
    assert engine.data_to_send(65536) == b"\x81\x02hi"
    assert not engine.must_close
    assert engine.send_body(1, b"bye", end=True)
    assert engine.data_to_send(65536) == b"bye"
    assert engine.must_close


def test_what_waits_for_the_socket_counts_as_unsent() -> None:
    """Else the source of a tunnel, or of a long response, would never be told to stop."""
    engine, _ = opened([HANDSHAKE])
    engine.send_body(1, bytes(1000), end=False)
    engine.send_body(1, bytes(500), end=False)
    assert engine.unsent(1) == 1500
    engine.data_to_send(65536)
    assert engine.unsent(1) == 0


def test_the_end_of_input_is_the_end_of_one_half() -> None:
    """The visitor may still listen; what it said before is delivered first."""
    engine = HTTP1Engine(b"https")
    feed(engine, [HANDSHAKE + b"last words"])
    engine.open_tunnel(1, ())
    events = engine.receive_eof()
    assert body_of(events) == b"last words"
    assert isinstance(events[-1], RequestEnded)
    assert not any(isinstance(event, ConnectionEnded) for event in events)
    assert engine.send_body(1, b"answer", end=False)
    assert engine.data_to_send(65536).endswith(b"answer")
    assert engine.receive_data(b"", 0.0) == []


# -- HTTP/2 ---------------------------------------------------------------------------------------------------------------

CONNECT = (
    (b":method", b"CONNECT"),
    (b":protocol", b"websocket"),
    (b":scheme", b"https"),
    (b":path", b"/chat"),
    (b":authority", b"a.test"),
    (b"sec-websocket-version", b"13"),
    (b"sec-websocket-protocol", b"chat"),
)


def test_extended_connect_is_announced(peer: Peer) -> None:
    """SETTINGS_ENABLE_CONNECT_PROTOCOL = 1 in the first frame (RFC 8441 §3)."""
    (settings, *_) = peer.seen(wire.SETTINGS)
    entries = {settings.payload[at : at + 6] for at in range(0, len(settings.payload), 6)}
    assert b"\x00\x08\x00\x00\x00\x01" in entries


def test_extended_connect_is_a_handshake(peer: Peer) -> None:
    """It stays a CONNECT, so that no handler takes it for a GET; its length is open."""
    peer.send(wire.headers(1, CONNECT, end=False))
    (event,) = peer.got(RequestReceived)
    request = event.request
    assert (request.method, request.target, request.upgrade) == (b"CONNECT", b"/chat", b"websocket")
    assert request.content_length is None
    assert not event.ended


def test_bytes_cross_both_ways(peer: Peer) -> None:
    """200 opens; DATA is what was said; either end ends its half."""
    peer.send(wire.headers(1, CONNECT, end=False))
    assert peer.engine.open_tunnel(1, ((b"sec-websocket-protocol", b"chat"),)) == 200
    peer.read()
    (head,) = peer.seen(wire.HEADERS)
    assert not head.flags & wire.END_STREAM
    fields = peer.reader.fields(head)
    assert fields[b":status"] == b"200"
    assert fields[b"sec-websocket-protocol"] == b"chat"
    assert {b"connection", b"upgrade", b"sec-websocket-accept", b"content-length"}.isdisjoint(fields)
    events = peer.send(wire.data(1, b"\x01"), wire.data(1, b"two"), wire.data(1, b"", end=True))
    assert body_of(events) == b"\x01two"
    assert isinstance(events[-1], RequestEnded)
    peer.engine.send_body(1, b"three", end=False)
    peer.engine.send_body(1, b"", end=True)
    peer.read()
    assert peer.body(1) == b"three"
    assert peer.seen(wire.DATA, 1)[-1].flags & wire.END_STREAM
    assert not peer.seen(wire.RST_STREAM)
    assert peer.engine.is_idle


def test_flow_control_holds_in_a_tunnel(peer: Peer) -> None:
    """What the visitor has no window for waits, and is told of as unsent."""
    peer.send(wire.headers(1, CONNECT, end=False))
    peer.engine.open_tunnel(1, ())
    peer.engine.send_body(1, bytes(100_000), end=False)
    peer.read()
    assert len(peer.body(1)) == 65535
    assert peer.engine.unsent(1) == 100_000 - 65535
    assert peer.engine.send_progress() == {1: 65535}
    peer.send(wire.window_update(0, 100_000), wire.window_update(1, 100_000))
    assert len(peer.body(1)) == 100_000


def test_a_tunnel_is_given_up_with_cancel(peer: Peer) -> None:
    """What a reset is in TCP (RFC 8441 §5)."""
    peer.send(wire.headers(1, CONNECT, end=False))
    peer.engine.open_tunnel(1, ())
    peer.engine.reset(1)
    peer.read()
    (reset,) = peer.seen(wire.RST_STREAM, 1)
    assert reset.code == 8


def test_a_refused_tunnel_is_an_ordinary_response(peer: Peer) -> None:
    """The stream ends with it, and the connection lives."""
    peer.send(wire.headers(1, CONNECT, end=False))
    peer.engine.send_response(1, ResponseHead(403, (), 2), b"no")
    peer.read()
    assert peer.body(1) == b"no"
    peer.send(wire.headers(3))
    assert len(peer.got(RequestReceived)) == 2


def without(name: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(field for field in CONNECT if field[0] != name)


@pytest.mark.parametrize(
    ("headers", "end"),
    [
        ((*without(b":protocol")[:1], (b":protocol", b"connect-udp"), *without(b":protocol")[1:]), False),
        (((b":method", b"GET"), *CONNECT[1:]), False),
        (without(b":path"), False),
        (without(b":scheme"), False),
        (without(b":authority"), False),
        (without(b":protocol"), False),
        (without(b"sec-websocket-version"), False),
        ((*CONNECT, (b"sec-websocket-version", b"8")), False),
        ((*CONNECT, (b"content-length", b"3")), False),
        (CONNECT, True),
    ],
)
def test_other_connects_open_nothing(peer: Peer, headers: tuple[tuple[bytes, bytes], ...], end: bool) -> None:
    """Refused or reset, on their stream; no handler hears of them."""
    peer.send(wire.headers(1, headers, end=end))
    assert not peer.got(RequestReceived)
    assert peer.got(RequestRefused) or peer.seen(wire.RST_STREAM, 1)
    peer.send(wire.headers(3))
    assert len(peer.got(RequestReceived)) == 1


# -- HTTP/1.1, the origin's side --------------------------------------------------------------------------------------------

ACCEPT = accept_of(KEY)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
)


def answer_to_handshake(pieces: list[bytes], accept: bytes = ACCEPT) -> list[OriginEvent]:
    engine = HTTP1OriginEngine()
    if accept:
        engine.expect_tunnel(accept)
    engine.begin(b"GET")
    return joined([event for piece in pieces for event in engine.receive_data(piece)] + engine.receive_eof())


@pytest.mark.parametrize("pieces_of", CUTS)
def test_a_switch_that_was_asked_for_opens_a_tunnel(pieces_of: Cut) -> None:
    """Its head, then everything as it comes, then the end of the origin's half; interim heads may go before."""
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    events = answer_to_handshake(pieces_of(interim + SWITCH + REQUEST))
    hint, head, data, end = events
    assert hint == InterimReceived(103, ((b"link", b"x"),))
    assert isinstance(head, HeadReceived)
    assert head.head.status == 101
    assert head.head.field(b"sec-websocket-protocol") == b"chat"
    assert head.head.field(b"upgrade") is None
    assert data == DataReceived(REQUEST)
    assert end == ResponseEnded(reusable=False)


@pytest.mark.parametrize("pieces_of", CUTS)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (ACCEPT, accept_of(b"another")),
        (b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n", b""),
        (b"Sec-WebSocket-Accept: ", b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\nSec-WebSocket-Accept: "),
        (b"Upgrade: WebSocket", b"Upgrade: h2c"),
        (b"Upgrade: WebSocket\r\n", b""),
        (b"Connection: Upgrade", b"Connection: keep-alive"),
    ],
)
def test_a_switch_without_proof_is_a_failure(pieces_of: Cut, old: bytes, new: bytes) -> None:
    """Whoever answers has not understood this handshake: a cache, a server for another protocol."""
    assert old in SWITCH
    (event,) = answer_to_handshake(pieces_of(SWITCH.replace(old, new)))
    assert isinstance(event, ResponseFailed)


def test_a_switch_that_nobody_asked_for_is_a_failure() -> None:
    """An origin cannot turn an ordinary request into a tunnel."""
    assert answer_to_handshake([SWITCH + REQUEST], accept=b"") == [ResponseFailed("unexpected-101")]


def test_another_answer_is_an_ordinary_response() -> None:
    """The origin may say no, or not know WebSockets at all."""
    events = answer_to_handshake([b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"])
    assert comparable(events)[0] == (403, (), 2, False)
    assert events[1:] == [DataReceived(b"no"), ResponseEnded(reusable=True)]
