"""Trailers from an origin's chunks, and on to visitors of either protocol."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.http.limits import STREAM_WINDOW
from edge.http.message import ResponseHead
from edge.wire.http1 import HTTP1Engine
from edge.wire.http1_origin import HTTP1OriginEngine
from edge.wire.origin import DataReceived, HeadReceived, OriginEvent, ResponseEnded, ResponseFailed
from edge.wire.request_head import parse_request_head
from tests.wire import http2_frames as wire
from tests.wire.driving import byte_by_byte, cut, whole
from tests.wire.http2_peer import Peer

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TRAILERS = ((b"grpc-status", b"0"), (b"x", b"y"))
OK = ResponseHead(200, (), None)


def read(pieces: list[bytes]) -> list[OriginEvent]:
    engine = HTTP1OriginEngine()
    engine.begin(b"GET")
    return [event for piece in pieces for event in engine.receive_data(piece)]


# -- from an HTTP/1.1 origin ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("feed", [whole, byte_by_byte])
def test_an_origins_trailers_come_with_the_end_of_its_body(feed: Callable[[bytes], list[bytes]]) -> None:
    """Those that may trail, in their order; the connection goes on."""
    raw = HEAD + b"2\r\nhi\r\n0\r\nGrpc-Status: 0\r\nSet-Cookie: a=b\r\nX: y\r\n\r\n"
    events = read(feed(raw))
    assert events[-1] == ResponseEnded(reusable=True, trailers=TRAILERS)
    assert b"".join(bytes(event.data) for event in events if isinstance(event, DataReceived)) == b"hi"


@pytest.mark.parametrize("feed", [whole, byte_by_byte])
@pytest.mark.parametrize(
    "section",
    [b"bad name: x\r\n", b"a\x01: x\r\n", b"a: \x01\r\n", b"a: b\r\n c\r\n", b"Content-Length: 2\r\n", b"a: b\n\r\n"],
)
def test_a_broken_trailer_section_fails_the_response(feed: Callable[[bytes], list[bytes]], section: bytes) -> None:
    """Nothing of it passes, and the connection is used up."""
    events = read(feed(HEAD + b"2\r\nhi\r\n0\r\n" + section + b"\r\n"))
    assert isinstance(events[-1], ResponseFailed)
    assert not any(isinstance(event, ResponseEnded) for event in events)


def test_a_huge_trailer_section_fails_the_response() -> None:
    """An origin cannot make edge collect trailers without end."""
    many = b"".join(b"x-%d: %s\r\n" % (number, b"v" * 500) for number in range(200))
    assert isinstance(read([HEAD + b"2\r\nhi\r\n0\r\n" + many + b"\r\n"])[-1], ResponseFailed)


@given(
    st.lists(st.tuples(st.sampled_from([b"a", b"Date", b"x-b"]), st.sampled_from([b"", b"1", b"x y"])), max_size=4),
    st.data(),
)
def test_how_the_reads_are_cut_changes_nothing(lines: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    """Any section gives the same trailers in one read and in many."""
    raw = HEAD + b"3\r\nabc\r\n0\r\n" + b"".join(b"%b: %b\r\n" % line for line in lines) + b"\r\n"
    sizes = data.draw(st.lists(st.integers(1, 40), max_size=6))
    kept = tuple(line for line in lines if line[0] != b"Date")
    for pieces in ([raw], [*cut(raw, sizes)]):
        events = read(pieces)
        assert isinstance(events[0], HeadReceived)
        assert events[-1] == ResponseEnded(True, kept)


# -- to an HTTP/1.1 visitor -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "expected"),
    [(b"trailers", True), (b"gzip, Trailers", True), (b"gzip;q=1", False), (b"trailers-not", False)],
)
def test_te_says_whether_trailers_are_welcome(value: bytes, expected: bool) -> None:
    """`trailers` as a member of the list (RFC 9110 §10.1.4)."""
    raw = b"GET / HTTP/1.1\r\nHost: a\r\nTE: " + value + b"\r\n\r\n"
    assert parse_request_head(raw, b"https").request.accepts_trailers is expected
    assert not parse_request_head(raw.replace(b"1.1", b"1.0"), b"https").request.accepts_trailers


def written(te: bytes, head: ResponseHead, body: bytes, version: bytes = b"1.1") -> tuple[bytes, HTTP1Engine]:
    engine = HTTP1Engine(b"https")
    engine.receive_data(b"GET / HTTP/" + version + b"\r\nHost: a\r\n" + te + b"\r\n", 0.0)
    engine.send_head(1, head)
    engine.send_body(1, body, end=False)
    assert engine.send_trailers(1, TRAILERS)
    return engine.data_to_send(1 << 20).partition(b"\r\n\r\n")[2], engine


def test_a_visitor_who_asked_gets_trailers_behind_the_last_chunk() -> None:
    """`0`, the fields, an empty line (RFC 9112 §7.1.2); the connection goes on."""
    body, engine = written(b"TE: trailers\r\n", OK, b"hi")
    assert body == b"2\r\nhi\r\n0\r\ngrpc-status: 0\r\nx: y\r\n\r\n"
    assert not engine.must_close


def test_a_visitor_who_did_not_ask_gets_none() -> None:
    """The body just ends."""
    assert written(b"", OK, b"hi")[0] == b"2\r\nhi\r\n0\r\n\r\n"


def test_a_body_that_is_not_chunked_has_no_room_for_trailers() -> None:
    """With a length, or for HTTP/1.0, only the body is sent."""
    assert written(b"TE: trailers\r\n", ResponseHead(200, (), 2), b"hi")[0] == b"hi"
    assert written(b"TE: trailers\r\n", OK, b"hi", b"1.0")[0] == b"hi"


def test_trailers_do_not_hide_a_body_that_is_too_short() -> None:
    """The response is aborted as without them."""
    engine = HTTP1Engine(b"https")
    engine.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n", 0.0)
    engine.send_head(1, ResponseHead(200, (), 5))
    assert not engine.send_trailers(1, TRAILERS)
    assert engine.must_close


# -- to an HTTP/2 visitor ---------------------------------------------------------------------------------------------
def fields_of(peer: Peer) -> list[dict[bytes, bytes]]:
    return [peer.reader.fields(each) for each in peer.seen(wire.HEADERS)]


def test_te_is_understood_in_http2(peer: Peer) -> None:
    """`te: trailers`, the only one allowed (RFC 9113 §8.2.2), becomes an attribute of the request."""
    events = peer.send(wire.headers(1, (*wire.GET, (b"te", b"trailers"))), wire.headers(3))
    assert [event.request.accepts_trailers for event in events if hasattr(event, "request")] == [True, False]


@pytest.mark.parametrize("body", [b"", b"hi", b"x" * 40_000])
def test_http2_trailers_end_the_stream(peer: Peer, body: bytes) -> None:
    """Head, body, and a header block with END_STREAM, whatever the body; the DATA frames do not end it."""
    peer.send(wire.headers(1))
    peer.engine.send_head(1, OK)
    peer.engine.send_body(1, body, end=False)
    assert peer.engine.send_trailers(1, TRAILERS)
    peer.read()
    assert peer.body(1) == body
    last = peer.seen(wire.HEADERS, 1)[-1]
    assert last.flags & wire.END_STREAM
    assert peer.frames[-1] is last
    assert fields_of(peer)[1:] == [dict(TRAILERS)]
    assert not any(each.flags & wire.END_STREAM for each in peer.seen(wire.DATA, 1))
    assert peer.engine.is_idle


def test_http2_trailers_wait_for_the_body(peer: Peer) -> None:
    """While flow control holds the body back, the trailers wait behind it."""
    peer.send(wire.headers(1))
    peer.engine.send_head(1, OK)
    peer.engine.send_body(1, bytes(STREAM_WINDOW + 5000), end=False)
    peer.engine.send_trailers(1, TRAILERS)
    peer.read()
    assert len(peer.seen(wire.HEADERS, 1)) == 1
    peer.send(wire.window_update(1, 10_000), wire.window_update(0, 10_000))
    assert len(peer.body(1)) == STREAM_WINDOW + 5000
    assert fields_of(peer)[-1] == dict(TRAILERS)


def test_http2_trailers_need_no_window() -> None:
    """A client that opens no window gets head and trailers of an empty body (libnghttp2 waits until it is open by a crack)."""
    peer = Peer("h2", settings={4: 0})
    peer.send(wire.headers(1))
    peer.engine.send_head(1, OK)
    peer.engine.send_trailers(1, TRAILERS)
    peer.read()
    assert peer.seen(wire.HEADERS, 1)[-1].flags & wire.END_STREAM


def test_http2_trailers_do_not_hide_a_body_that_is_too_short(peer: Peer) -> None:
    """The stream is reset as without them."""
    peer.send(wire.headers(1))
    peer.engine.send_head(1, ResponseHead(200, (), 5))
    assert not peer.engine.send_trailers(1, TRAILERS)
    peer.read()
    assert peer.seen(wire.RST_STREAM, 1)


def test_http2_answers_to_head_have_no_trailers(peer: Peer) -> None:
    """The stream has ended with the head."""
    peer.send(wire.headers(1, ((b":method", b"HEAD"), *wire.GET[1:])))
    peer.engine.send_head(1, OK)
    assert peer.engine.send_trailers(1, TRAILERS)
    peer.read()
    assert len(peer.seen(wire.HEADERS, 1)) == 1
