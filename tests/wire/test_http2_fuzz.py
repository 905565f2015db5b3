"""Any input is legal or closes; there is nothing third."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.http.message import ResponseHead
from edge.wire.engine import BodyReceived, ConnectionEnded, RequestEnded, RequestReceived, RequestRefused, StreamAborted
from tests.wire import http2_frames as wire
from tests.wire.http2_peer import KINDS, Peer

_STREAM_IDS = st.sampled_from([0, 1, 1, 3, 3, 5, 2, 2**31 - 1])
_NUMBERS = st.sampled_from([0, 1, 100, 16384, 65535, 2**31 - 1, 2**32 - 1]).map(
    lambda number: struct.pack(">L", number)
)
_SETTINGS = st.lists(st.tuples(st.integers(0, 10), st.sampled_from([0, 1, 4096, 16384, 2**31, 2**32 - 1])), max_size=4)

_GOOD = st.one_of(
    st.builds(wire.headers, _STREAM_IDS, st.sampled_from([wire.GET, wire.POST, ((b"x", b"y"),)]), st.booleans()),
    st.builds(wire.data, _STREAM_IDS, st.sampled_from([b"", b"x", b"y" * 5000]), st.booleans()),
    st.builds(wire.rst_stream, _STREAM_IDS),
    st.builds(wire.window_update, _STREAM_IDS, st.sampled_from([1, 1000, 2**31 - 1])),
    st.builds(lambda values: wire.settings(dict(values)), _SETTINGS),
    st.just(wire.ping()),
    st.just(wire.goaway()),
)
_ANY = st.builds(
    wire.frame,
    st.integers(0, 17),
    st.integers(0, 255),
    _STREAM_IDS,
    st.one_of(st.binary(max_size=40), _NUMBERS),
    st.one_of(st.none(), st.none(), st.integers(0, 60)),
)
_ACTIONS = st.sampled_from(["respond", "stream", "reset", "interim", "consume", "read", "shut_down", "eof"])


def act(peer: Peer, action: str) -> None:
    """What a driver may do at any moment, on a stream that may long be gone."""
    engine = peer.engine
    for stream_id in (1, 3):
        if action == "respond":
            engine.send_response(stream_id, ResponseHead(200, (), 3), b"abc")
        elif action == "stream":
            engine.send_head(stream_id, ResponseHead(200, (), None))
            engine.send_body(stream_id, b"x" * 70_000, end=False)
            engine.send_body(stream_id, b"", end=stream_id == 1)
        elif action == "reset":
            engine.reset(stream_id)
        elif action == "interim":
            engine.send_interim(stream_id, 103, ())
    for event in peer.got(BodyReceived):
        if action == "consume":
            engine.body_consumed(event.stream_id, event.credit)
    if action == "read":
        peer.read(20_000)
    elif action == "shut_down":
        engine.shut_down()
    elif action == "eof":
        peer.events += engine.receive_eof()


def check(peer: Peer) -> None:
    """The events tell one consistent story per stream, and the end comes once."""
    failures = [index for index, each in enumerate(peer.events) if isinstance(each, ConnectionEnded) and each.reason]
    assert failures in ([], [len(peer.events) - 1])
    begun: set[int] = set()
    for event in peer.events:
        if isinstance(event, RequestReceived | RequestRefused):
            assert event.stream_id not in begun
            if isinstance(event, RequestReceived) and not event.ended:
                begun.add(event.stream_id)
        elif isinstance(event, BodyReceived):
            assert event.stream_id in begun
        elif isinstance(event, RequestEnded):
            begun.remove(event.stream_id)
        elif isinstance(event, StreamAborted):
            begun.discard(event.stream_id)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=120, deadline=None)
@given(st.lists(st.one_of(_GOOD, _GOOD, _ANY, _ACTIONS), max_size=25))
def test_random_frames_and_calls_never_raise(kind: str, steps: list[bytes | str]) -> None:
    """Frames in any order, mixed with any calls of a driver, raise nothing and make consistent events."""
    peer = Peer(kind)
    for step in steps:
        if isinstance(step, bytes):
            peer.send(step, read=False)
        else:
            act(peer, step)
    peer.read()
    check(peer)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_never_raise(kind: str, data: bytes) -> None:
    """Noise behind a good beginning is understood or ends the connection."""
    peer = Peer(kind)
    peer.send(data, data)
    peer.read()
    check(peer)
