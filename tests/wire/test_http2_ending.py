"""How an HTTP/2 connection ends: gracefully from either side, or because it must."""

from __future__ import annotations

import pytest

from edge.http.limits import MAX_REQUESTS_PER_CONNECTION
from edge.wire.engine import (
    ConnectionEnded,
    RequestReceived,
)
from tests.plain import plain_only
from tests.wire import http2_frames as wire
from tests.wire.http2_client import TEXT, ok
from tests.wire.http2_peer import Peer


def test_a_graceful_end_takes_two_steps(peer: Peer) -> None:
    """GOAWAY 2^31-1, then the last stream; what is in flight finishes, what comes later is refused, then it closes."""
    peer.send(wire.headers(1))
    peer.engine.shut_down()
    peer.read()
    assert [each.number for each in peer.seen(wire.GOAWAY)] == [2**31 - 1]
    peer.send(wire.headers(3))
    assert [each.number for each in peer.seen(wire.GOAWAY)] == [2**31 - 1, 3]
    assert [each.stream_id for each in peer.got(RequestReceived)] == [1, 3]
    peer.send(wire.headers(5))
    assert [each.stream_id for each in peer.got(RequestReceived)] == [1, 3]
    for stream_id in (1, 3):
        assert not peer.engine.must_close
        peer.engine.send_response(stream_id, ok(), TEXT)
        peer.read()
        assert peer.body(stream_id) == TEXT
    assert peer.engine.must_close


def test_a_silent_client_is_drained_by_a_second_call(peer: Peer) -> None:
    """Without data from the client the driver's second call names the last stream."""
    peer.engine.shut_down()
    assert not peer.engine.must_close
    peer.engine.shut_down()
    peer.engine.shut_down()
    peer.read()
    assert [each.number for each in peer.seen(wire.GOAWAY)] == [2**31 - 1, 0]
    assert peer.engine.must_close


def test_a_goaway_of_the_client_takes_nothing_away(peer: Peer) -> None:
    """Responses in flight finish; then the connection closes."""
    peer.send(wire.headers(1))
    peer.engine.send_response(1, ok(100_000), b"x" * 100_000)
    peer.send(wire.goaway(), wire.window_update(0, 50_000), wire.window_update(1, 50_000))
    assert len(peer.body(1)) == 100_000
    assert peer.engine.must_close


@plain_only
def test_a_connection_serves_a_bounded_number_of_requests(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """After MAX_REQUESTS_PER_CONNECTION the engine begins a graceful end by itself."""
    monkeypatch.setattr("edge.wire.http2_engine.MAX_REQUESTS_PER_CONNECTION", 3)
    assert MAX_REQUESTS_PER_CONNECTION > 3
    for stream_id in (1, 3, 5):
        assert not peer.seen(wire.GOAWAY)
        peer.send(wire.headers(stream_id))
        peer.engine.send_response(stream_id, ok(), TEXT)
        peer.read()
    assert peer.seen(wire.GOAWAY)[0].number == 2**31 - 1


def test_after_the_end_nothing_happens(peer: Peer) -> None:
    """A failed connection ignores input and calls, and says that it must close."""
    peer.send(wire.headers(1), wire.frame(wire.PUSH_PROMISE, wire.END_HEADERS, 1, b"\0\0\0\2"))
    assert isinstance(peer.events[-1], ConnectionEnded)
    assert peer.is_ended
    assert peer.send(wire.headers(3)) == []
    peer.engine.send_response(1, ok(), TEXT)
    peer.engine.send_head(1, ok())
    assert peer.engine.send_body(1, TEXT, end=True)
    peer.engine.reset(1)
    peer.engine.body_consumed(1, 5)
    peer.engine.shut_down()
    assert peer.engine.data_to_send(65536) == b""
    assert peer.engine.receive_eof() == []
