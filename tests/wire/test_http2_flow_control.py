"""Windows in both directions, turns, and back-pressure, with every HTTP/2 engine (RFC 9113 §5.2)."""

from __future__ import annotations

from edge.http.limits import HIGH_WATER, LOW_WATER, UPLOAD_WINDOW
from edge.wire.engine import (
    BodyReceived,
    StreamWritable,
)
from tests.wire import http2_frames as wire
from tests.wire.http2_client import Client, ok
from tests.wire.http2_peer import Peer, make_engine


def test_credit_is_given_back_when_the_handler_has_taken_the_body(peer: Peer) -> None:
    """No WINDOW_UPDATE before body_consumed; after half a window there is one for stream and connection."""
    peer.send(wire.headers(1, wire.POST, end=False))
    peer.send(*(wire.data(1, b"x" * 16384) for _ in range(3)))
    before = [each for each in peer.seen(wire.WINDOW_UPDATE) if each.stream_id]
    assert before == []
    for event in peer.got(BodyReceived):
        peer.engine.body_consumed(1, event.credit)
    peer.read()
    assert sum(each.number for each in peer.seen(wire.WINDOW_UPDATE, 1)) >= 2 * 16384


def test_an_upload_that_flows_gets_a_wider_window(peer: Peer) -> None:
    """Once a first window has been taken; the connection's window still bounds what can pile up."""
    peer.send(wire.headers(1, wire.POST, end=False))
    for _ in range(2):
        peer.send(*(wire.data(1, b"x" * 16_384) for _ in range(3)))
        while taken := peer.got(BodyReceived):
            peer.engine.body_consumed(1, sum(event.credit for event in taken))
            peer.events.clear()
        peer.read()
    granted = 65_535 + sum(each.number for each in peer.seen(wire.WINDOW_UPDATE, 1))
    assert UPLOAD_WINDOW - 16_384 <= granted - 6 * 16_384 <= UPLOAD_WINDOW
    while granted - 6 * 16_384 >= 16_384:
        peer.send(wire.data(1, b"x" * 16_384))
        granted -= 16_384
    assert not peer.is_ended
    assert sum(len(event.data) for event in peer.got(BodyReceived)) >= UPLOAD_WINDOW - 2 * 16_384


def test_a_dead_upload_does_not_eat_the_connection_window(peer: Peer) -> None:
    """Bytes that no handler will take any more, padding too, are credited to the connection."""
    total = sum(each.number for each in peer.seen(wire.WINDOW_UPDATE, 0)) + 65535
    for stream_id in range(1, 120, 2):
        padded = wire.frame(wire.DATA, wire.PADDED, stream_id, b"\x0f" + b"y" * 16368 + b"\0" * 15)
        peer.send(wire.headers(stream_id, wire.POST, end=False), padded, wire.rst_stream(stream_id))
    credited = sum(each.number for each in peer.seen(wire.WINDOW_UPDATE, 0)) + 65535
    assert credited - total > 60 * 16384 - total // 2 - 1


def test_a_large_body_arrives_whole(kind: str) -> None:
    """A real client gets every byte of a body many windows long."""
    client = Client(make_engine(kind))
    stream_id = client.get()
    client.exchange()
    body = bytes(range(256)) * 4096
    client.engine.send_head(stream_id, ok(len(body)))
    client.engine.send_body(stream_id, memoryview(body)[:300_000], end=False)
    client.engine.send_body(stream_id, memoryview(body)[300_000:], end=True)
    client.exchange()
    assert client.body(stream_id) == body
    assert client.engine.is_idle


def test_a_body_waits_for_its_window(peer: Peer) -> None:
    """Never more than the window is sent; what is left shows in `unsent` and goes on after WINDOW_UPDATE."""
    peer.send(wire.headers(1))
    peer.engine.send_response(1, ok(100_000), b"x" * 100_000)
    peer.read()
    assert len(peer.body(1)) <= 65535
    assert peer.engine.unsent(1) == 100_000 - len(peer.body(1))
    peer.send(wire.window_update(0, 50_000), wire.window_update(1, 50_000))
    assert len(peer.body(1)) == 100_000


def test_a_smaller_initial_window_holds_open_streams_back(peer: Peer) -> None:
    """SETTINGS_INITIAL_WINDOW_SIZE changes windows of open streams, below zero if need be (RFC 9113 §6.9.2)."""
    peer.send(wire.headers(1))
    peer.engine.send_head(1, ok(None))
    peer.engine.send_body(1, b"x" * 30_000, end=False)
    peer.read()
    peer.send(wire.settings({4: 20_000}))
    peer.engine.send_body(1, b"x" * 30_000, end=True)
    peer.read()
    assert len(peer.body(1)) == 30_000
    peer.send(wire.window_update(1, 40_000))
    assert len(peer.body(1)) == 60_000


def test_output_keeps_to_the_budget(peer: Peer) -> None:
    """About as many body bytes as asked for, the rest at the next call."""
    peer.send(wire.headers(1))
    peer.read()
    peer.engine.send_response(1, ok(60_000), b"x" * 60_000)
    first = peer.engine.data_to_send(16_384)
    assert 16_384 <= len(first) <= 2 * 16_384
    assert peer.engine.unsent(1) >= 60_000 - 2 * 16_384


def test_a_drained_stream_becomes_writable(peer: Peer) -> None:
    """Once above HIGH_WATER, a stream is reported when it falls to LOW_WATER: by take_writable, else as an event."""
    peer.send(wire.headers(1), wire.window_update(0, 1 << 20))
    for report in ("asked", "event"):
        peer.engine.send_head(1, ok(None))
        peer.engine.send_body(1, b"x" * (HIGH_WATER + 70_000), end=False)
        peer.read()
        assert peer.engine.take_writable() == []
        peer.send(wire.window_update(1, peer.engine.unsent(1) - LOW_WATER), read=False)
        peer.read()
        if report == "asked":
            assert peer.engine.take_writable() == [1]
            peer.send(wire.window_update(1, 65535))
        else:
            assert peer.send(wire.ping()) == [StreamWritable(1)]
        assert peer.engine.take_writable() == []


def test_progress_shows_what_has_left(peer: Peer) -> None:
    """For streams with unsent bytes only: bytes that have left, whatever windows were promised meanwhile."""
    peer.send(wire.headers(1), wire.headers(3), wire.window_update(0, 1 << 20))
    peer.engine.send_response(1, ok(100_000), b"x" * 100_000)
    peer.engine.send_head(3, ok(None))
    peer.read()
    assert peer.engine.send_progress() == {1: 65_535}
    peer.send(wire.window_update(1, 10_000))
    assert peer.engine.send_progress() == {1: 75_535}
    peer.send(wire.window_update(1, 30_000))
    assert peer.engine.send_progress() == {}


def test_responses_share_the_connection(peer: Peer) -> None:
    """Two long responses of the same urgency both make progress."""
    peer.send(wire.headers(1), wire.headers(3))
    for stream_id in (1, 3):
        peer.engine.send_response(stream_id, ok(60_000), b"x" * 60_000)
    peer.read(16_384)
    assert abs(len(peer.body(1)) - len(peer.body(3))) <= 2 * 16_384


def test_urgent_responses_go_first(peer: Peer) -> None:
    """`priority: u=0` overtakes `u=7` (RFC 9218)."""
    for stream_id, wish in ((1, b"u=7"), (3, b"u=0")):
        peer.send(wire.headers(stream_id, (*wire.GET, (b"priority", wish))))
    for stream_id in (1, 3):
        peer.engine.send_response(stream_id, ok(60_000), b"x" * 60_000)
    peer.read()
    assert len(peer.body(3)) == 60_000
    assert len(peer.body(1)) <= 65_535 - 60_000


def test_a_priority_update_is_heard(peer: Peer) -> None:
    """PRIORITY_UPDATE changes the order of what is queued; for unknown streams it is ignored."""
    peer.send(wire.headers(1), wire.headers(3))
    for stream_id in (1, 3):
        peer.engine.send_response(stream_id, ok(60_000), b"x" * 60_000)
    for stream_id in (3, 999):
        peer.send(wire.frame(wire.PRIORITY_UPDATE, 0, 0, stream_id.to_bytes(4) + b"u=0"), read=False)
    peer.read()
    assert len(peer.body(3)) == 60_000
