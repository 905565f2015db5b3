"""The origin's HTTP/2 engine: our requests, its responses, many at a time."""

from __future__ import annotations

from collections.abc import Callable

import h2.config
import h2.connection
import h2.events
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.http.limits import (
    MAX_CONTINUATIONS,
    MAX_INTERIM_RESPONSES,
    ORIGIN_CONNECTION_WINDOW,
    ORIGIN_STREAM_WINDOW,
    ORIGIN_STREAMS,
    RESET_BURST,
)
from edge.wire.http2_origin import NOT_HTTP2, REFUSED, RESET, TRUNCATED, UNANSWERED, HTTP2OriginEngine
from edge.wire.origin import DataReceived, HeadReceived, InterimReceived, OriginEvent, ResponseEnded, ResponseFailed
from tests.wire import http2_frames as wire
from tests.wire.driving import byte_by_byte, cut, whole
from tests.wire.origin_peer import HOST, OK, OriginPeer, head, trailers

CANCEL = 0x8
NO_PUSH = (2).to_bytes(2) + (0).to_bytes(4)


# -- opening ----------------------------------------------------------------------------------------------------------
def test_the_connection_begins_with_preface_and_settings() -> None:
    """No push, the window for one response, and a larger one for all together."""
    peer = OriginPeer(silent=True)
    (ours,) = peer.sent(wire.SETTINGS)
    assert NO_PUSH in ours.payload
    assert ORIGIN_STREAM_WINDOW.to_bytes(4) in ours.payload
    assert [each.number for each in peer.sent(wire.WINDOW_UPDATE, 0)] == [ORIGIN_CONNECTION_WINDOW - 65535]


def test_there_is_no_room_before_the_origin_has_spoken() -> None:
    """Its SETTINGS say that it speaks HTTP/2 and how many streams it allows; ours allow no more than ORIGIN_STREAMS."""
    peer = OriginPeer(silent=True)
    assert (peer.engine.is_ready, peer.engine.room) == (False, 0)
    peer.say(wire.settings())
    assert (peer.engine.is_ready, peer.engine.room) == (True, ORIGIN_STREAMS)
    assert OriginPeer({3: 2}).engine.room == 2
    assert OriginPeer({3: 0}).engine.room == 0


@pytest.mark.parametrize("feed", [whole, byte_by_byte])
@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9\r\n",
        wire.ping(),
        wire.headers(1, OK),
        b"\x15\x03\x01\0\2\2\x46" * 2,
    ],
)
def test_somebody_else_at_the_address_is_noticed(feed: Callable[[bytes], list[bytes]], said: bytes) -> None:
    """What does not begin with SETTINGS (RFC 9113 §3.4) is no HTTP/2."""
    peer = OriginPeer(silent=True)
    peer.say(*feed(said))
    assert peer.engine.failure == NOT_HTTP2
    assert not peer.engine.room


# -- requests ---------------------------------------------------------------------------------------------------------
def test_a_request_head_has_pseudo_fields_first() -> None:
    """Method, scheme, authority (from `host`) and path; then the length, if there is a body of known length, and the fields."""
    peer = OriginPeer()
    fields = ((b"host", b"a.test:81"), (b"x-a", b"1"), (b"te", b"trailers"), (b"x-a", b"2"))
    peer.engine.begin(b"POST", b"/x?y", fields, 3, ended=False)
    peer.engine.begin(b"DELETE", b"*", HOST, 0, ended=True)
    peer.engine.begin(b"POST", b"/", HOST, None, ended=False)
    peer.read()
    first, second, third = peer.sent(wire.HEADERS)
    assert peer.fields(first) == [
        (b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"a.test:81"), (b":path", b"/x?y"),
        (b"content-length", b"3"), (b"x-a", b"1"), (b"te", b"trailers"), (b"x-a", b"2"),
    ]  # fmt: skip
    assert [each.flags & wire.END_STREAM for each in (first, second, third)] == [0, wire.END_STREAM, 0]
    assert [name for name, _ in peer.fields(second)] == [b":method", b":scheme", b":authority", b":path"]
    assert b"content-length" not in dict(peer.fields(third))


def test_a_long_head_is_continued() -> None:
    """More than a frame holds goes into CONTINUATION frames (RFC 9113 §6.10)."""
    peer = OriginPeer()
    peer.get(fields=(*HOST, (b"n" * 100, b"v" * 40_000)))
    assert len(peer.sent(wire.CONTINUATION, 1)) == 2


def test_room_counts_open_streams() -> None:
    """A stream takes a place from its beginning to the end of its response, or until it is given up."""
    peer = OriginPeer({3: 2})
    first, second = peer.get(), peer.get()
    assert peer.engine.room == 0
    peer.say(head(first, end=True))
    assert peer.engine.room == 1
    peer.engine.reset(second)
    assert peer.engine.room == 2


def test_a_body_obeys_the_origins_windows() -> None:
    """No byte more than stream and connection window allow; the rest follows when they open, the end with the last byte."""
    peer = OriginPeer({4: 1000})
    stream_id = peer.post()
    peer.engine.send_body(stream_id, b"x" * 2500, end=True)
    peer.read()
    assert len(peer.sent_body(stream_id)) == 1000
    assert peer.engine.unsent(stream_id) == 1500
    peer.say(wire.window_update(stream_id, 300))
    assert len(peer.sent_body(stream_id)) == 1300
    peer.say(wire.window_update(stream_id, 5000))
    assert peer.sent_body(stream_id) == b"x" * 2500
    assert peer.sent(wire.DATA, stream_id)[-1].flags & wire.END_STREAM


def test_a_full_connection_window_stops_every_stream() -> None:
    """65,535 bytes in all until the origin opens it (RFC 9113 §6.9.1); then streams take turns."""
    peer = OriginPeer({4: 1 << 20})
    first, second = peer.post(), peer.post()
    for stream_id in (first, second):
        peer.engine.send_body(stream_id, bytes(60_000), end=True)
    peer.read()
    assert len(peer.sent_body(first)) + len(peer.sent_body(second)) == 65_535
    assert min(len(peer.sent_body(first)), len(peer.sent_body(second))) > 20_000
    peer.say(wire.window_update(0, 100_000))
    assert len(peer.sent_body(first)) == len(peer.sent_body(second)) == 60_000


def test_settings_that_shrink_windows_are_obeyed() -> None:
    """A window may become negative, and nothing is sent until it is positive again (RFC 9113 §6.9.2)."""
    peer = OriginPeer({4: 1000})
    stream_id = peer.post()
    peer.engine.send_body(stream_id, bytes(3000), end=True)
    peer.read()
    peer.say(wire.settings({4: 100}), wire.window_update(stream_id, 500))
    assert len(peer.sent_body(stream_id)) == 1000
    peer.say(wire.window_update(stream_id, 600))
    assert len(peer.sent_body(stream_id)) == 1200


def test_an_exchange_that_is_given_up_is_cancelled() -> None:
    """RST_STREAM CANCEL, nothing of its body, no event any more; giving up twice is no error."""
    peer = OriginPeer()
    stream_id = peer.post()
    peer.engine.send_body(stream_id, b"never", end=False)
    peer.engine.reset(stream_id)
    peer.engine.reset(stream_id)
    peer.engine.send_body(stream_id, b"never", end=True)
    peer.read()
    assert [each.code for each in peer.sent(wire.RST_STREAM, stream_id)] == [CANCEL]
    assert not peer.sent_body(stream_id)
    assert peer.say(head(stream_id), wire.data(stream_id, b"late", end=True)) == []
    assert not peer.engine.failure


# -- responses --------------------------------------------------------------------------------------------------------
def plain(events: list[OriginEvent]) -> list[object]:
    """Events in a form that can be compared: heads by their values, neighbouring pieces of a body joined."""
    found: list[object] = []
    for event in events:
        if isinstance(event, HeadReceived):
            found.append((event.head.status, event.head.fields, event.head.content_length, event.ended))
        elif isinstance(event, DataReceived) and found and isinstance(found[-1], bytes):
            found[-1] += bytes(event.data)
        else:
            found.append(bytes(event.data) if isinstance(event, DataReceived) else event)
    return found


RESPONSES: dict[str, tuple[bytes, bytes, list[object]]] = {
    "with a length": (
        b"GET",
        head(1, (b"content-length", b"2"), (b"x", b"y")) + wire.data(1, b"hi", end=True),
        [(200, ((b"x", b"y"),), 2, False), b"hi", ResponseEnded(True)],
    ),
    "without": (
        b"GET",
        head(1) + wire.data(1, b"h") + wire.data(1, b"i") + wire.data(1, b"", end=True),
        [(200, (), None, False), b"hi", ResponseEnded(True)],
    ),
    "with trailers": (
        b"GET",
        head(1) + wire.data(1, b"hi") + trailers(1, [(b"grpc-status", b"0"), (b"set-cookie", b"a")]),
        [(200, (), None, False), b"hi", ResponseEnded(True, ((b"grpc-status", b"0"),))],
    ),
    "trailers only": (
        b"POST",
        head(1, (b"grpc-status", b"5"), end=True),
        [(200, ((b"grpc-status", b"5"),), None, True), ResponseEnded(True)],
    ),
    "to HEAD": (b"HEAD", head(1, (b"content-length", b"9"), end=True), [(200, (), 9, True), ResponseEnded(True)]),
    "304": (
        b"GET",
        head(1, (b"content-length", b"9"), end=True, status=b"304"),
        [(304, (), 9, True), ResponseEnded(True)],
    ),
    "interim heads first": (
        b"GET",
        head(1, status=b"100") + head(1, (b"link", b"x"), status=b"103") + head(1, end=True),
        [
            InterimReceived(100, ()),
            InterimReceived(103, ((b"link", b"x"),)),
            (200, (), None, True),
            ResponseEnded(True),
        ],
    ),
    "fields that end here": (
        b"GET",
        head(1, (b"status", b"500"), (b"trailer", b"x"), (b"te", b"y"), (b"a", b""), end=True),
        [(200, ((b"a", b""),), None, True), ResponseEnded(True)],
    ),
    "padding": (
        b"GET",
        head(1) + wire.frame(wire.DATA, wire.PADDED | wire.END_STREAM, 1, b"\x03hi\0\0\0"),
        [(200, (), None, False), b"hi", ResponseEnded(True)],
    ),
    "a frame from the future": (
        b"GET",
        wire.frame(0xFE, 0, 1, b"?") + head(1, end=True) + wire.frame(0xFE, 0, 0, b"?"),
        [(200, (), None, True), ResponseEnded(True)],
    ),
}


@pytest.mark.parametrize("feed", [whole, byte_by_byte])
@pytest.mark.parametrize(("method", "raw", "expected"), RESPONSES.values(), ids=RESPONSES.keys())
def test_a_response_is_read(
    feed: Callable[[bytes], list[bytes]], method: bytes, raw: bytes, expected: list[object]
) -> None:
    """Heads, body and end, the same in one read and in many; the stream is free again and the connection goes on."""
    peer = OriginPeer()
    peer.get(method)
    peer.say(*feed(raw))
    assert plain(peer.of(1)) == expected
    assert peer.engine.room == ORIGIN_STREAMS
    assert not peer.engine.failure


def test_responses_may_come_in_any_order_and_mixed() -> None:
    """Every event has its stream."""
    peer = OriginPeer()
    first, second = peer.get(), peer.get()
    peer.say(
        head(second) + head(first) + wire.data(second, b"2") + wire.data(first, b"1") + wire.data(second, b"", end=True)
    )
    peer.say(wire.data(first, b"1", end=True))
    assert (peer.body(first), peer.body(second)) == (b"11", b"2")


BOMB = b"\x40" + wire.block(((b"x", b"v" * 3000),))[1:] + b"\xbe" * 30
"""A field that enters the table, and thirty references to it: 3 KiB that become more than MAX_RESPONSE_HEAD."""

MALFORMED: dict[str, bytes] = {
    "no status": wire.headers(1, ((b"x", b"y"),), end=False),
    "nothing": wire.headers(1, (), end=False),
    "two statuses": wire.headers(1, (*OK, *OK), end=False),
    "status behind a field": wire.headers(1, ((b"x", b"y"), *OK), end=False),
    "a request": wire.headers(1, wire.GET, end=False),
    "status of two digits": head(1, status=b"20"),
    "status 600": head(1, status=b"600"),
    "status with a sign": head(1, status=b"+20"),
    "101": head(1, status=b"101"),
    "interim that ends": head(1, status=b"103", end=True),
    "name in upper case": head(1, (b"X", b"y")),
    "control in a value": head(1, (b"x", b"a\nb")),
    "connection": head(1, (b"connection", b"close")),
    "transfer-encoding": head(1, (b"transfer-encoding", b"chunked")),
    "two lengths": head(1, (b"content-length", b"2"), (b"content-length", b"2")),
    "signed length": head(1, (b"content-length", b"+2")),
    "body longer than announced": head(1, (b"content-length", b"2")) + wire.data(1, b"abc"),
    "body shorter than announced": head(1, (b"content-length", b"2")) + wire.data(1, b"a", end=True),
    "no body where one is announced": head(1, (b"content-length", b"2"), end=True),
    "trailers before the announced length": head(1, (b"content-length", b"2")) + trailers(1, [(b"x", b"y")]),
    "body before its head": wire.data(1, b"abc"),
    "body behind an interim head": head(1, status=b"103") + wire.data(1, b"abc"),
    "a second head": head(1) + head(1),
    "pseudo-field among trailers": head(1) + trailers(1, OK),
    "connection among trailers": head(1) + trailers(1, [(b"connection", b"x")]),
    "upper case among trailers": head(1) + trailers(1, [(b"X", b"x")]),
    "control among trailers": head(1) + trailers(1, [(b"x", b"\0")]),
    "too many interims": head(1, status=b"102") * (MAX_INTERIM_RESPONSES + 1),
    "a head that is too large": wire.frame(wire.HEADERS, wire.END_HEADERS, 1, wire.block(OK) + BOMB),
}


@pytest.mark.parametrize("feed", [whole, byte_by_byte])
@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_response_fails_its_stream_alone(feed: Callable[[bytes], list[bytes]], raw: bytes) -> None:
    """It is reset with PROTOCOL_ERROR; the other streams of the connection go on."""
    peer = OriginPeer()
    first, other = peer.get(), peer.get()
    peer.say(*feed(raw))
    assert peer.failure(first)
    assert [each.code for each in peer.sent(wire.RST_STREAM, first)] == [wire.PROTOCOL_ERROR]
    peer.say(head(other, end=True))
    assert peer.of(other)[-1] == ResponseEnded(True)
    assert not peer.engine.failure


def test_the_body_of_an_answer_to_head_fails_it() -> None:
    """There is none (RFC 9110 §9.3.2)."""
    peer = OriginPeer()
    stream_id = peer.get(b"HEAD")
    peer.say(head(stream_id), wire.data(stream_id, b"x", end=True))
    assert peer.failure(stream_id)


def test_a_response_before_the_end_of_the_request_ends_both() -> None:
    """The whole response is told; what is left of the request is taken back (RFC 9113 §8.1)."""
    peer = OriginPeer()
    stream_id = peer.post(length=10)
    peer.engine.send_body(stream_id, b"12345", end=False)
    peer.say(head(stream_id, status=b"413", end=True))
    assert peer.of(stream_id)[-1] == ResponseEnded(True)
    assert [each.code for each in peer.sent(wire.RST_STREAM, stream_id)] == [CANCEL]
    peer.say(wire.rst_stream(stream_id, 0))  # what servers say behind such a response
    assert not peer.engine.failure


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (wire.rst_stream(1, wire.REFUSED_STREAM), REFUSED),
        (wire.rst_stream(1, CANCEL), RESET),
        (wire.rst_stream(1, 0), RESET),
        (head(1) + wire.rst_stream(1, wire.REFUSED_STREAM), TRUNCATED),
        (head(1) + wire.data(1, b"x") + wire.rst_stream(1, CANCEL), TRUNCATED),
        (wire.window_update(1, 2**31 - 1), "http2-protocol"),
    ],
)
def test_a_stream_that_is_reset_fails(said: bytes, word: str) -> None:
    """REFUSED_STREAM before a head means that nothing has been done; everything else may have been."""
    peer = OriginPeer()
    peer.get()
    peer.say(said)
    assert peer.failure(1) == word
    assert not peer.engine.failure


# -- the end of a connection ------------------------------------------------------------------------------------------
def test_goaway_gives_back_the_streams_that_were_not_touched() -> None:
    """Those above the last one fail as refused, those below are answered; no new one may be opened (RFC 9113 §6.8)."""
    peer = OriginPeer()
    first, second = peer.get(), peer.get()
    peer.say(wire.goaway(2**31 - 1))
    assert (peer.events, peer.engine.room, peer.engine.is_leaving) == ([], 0, True)
    peer.say(wire.goaway(first))
    assert (peer.failure(first), peer.failure(second)) == ("", REFUSED)
    peer.say(head(first, end=True))
    assert peer.of(first)[-1] == ResponseEnded(True)


def test_the_end_of_input_fails_what_is_open() -> None:
    """Told apart by whether the head has come."""
    peer = OriginPeer()
    first, second = peer.get(), peer.get()
    peer.say(head(first))
    assert peer.engine.receive_eof() == [(first, ResponseFailed(TRUNCATED)), (second, ResponseFailed(UNANSWERED))]
    assert peer.engine.receive_eof() == []


def test_leaving_says_goaway() -> None:
    """The origin hears that no stream follows."""
    peer = OriginPeer()
    peer.engine.shut_down()
    peer.read()
    assert [each.code for each in peer.sent(wire.GOAWAY)] == [0]
    assert not peer.engine.room


def test_pings_are_answered_and_sent() -> None:
    """Eight bytes each way (RFC 9113 §6.7)."""
    peer = OriginPeer()
    peer.say(wire.ping(b"abcdefgh"))
    assert [(each.flags, each.payload) for each in peer.sent(wire.PING)] == [(1, b"abcdefgh")]
    peer.engine.ping()
    assert len(peer.read()) == 1


# -- attacks ----------------------------------------------------------------------------------------------------------
OPEN_HEAD = wire.frame(wire.HEADERS, 0, 1, wire.block(OK))
BROKEN: dict[str, bytes] = {
    "a frame that is too long": wire.frame(wire.DATA, 0, 1, bytes(16_385)),
    "push": wire.frame(wire.PUSH_PROMISE, wire.END_HEADERS, 1, (2).to_bytes(4) + wire.block(wire.GET)),
    "a head on a stream of its own": wire.headers(2, OK),
    "a head on a stream that was never opened": wire.headers(99, OK),
    "an undecodable block": wire.frame(wire.HEADERS, wire.END_HEADERS, 1, b"\xff\xff\xff\xff\xff"),
    "a list beyond every limit": b"".join(
        (
            wire.frame(wire.HEADERS, 0, 1, wire.block(((b"x", b"v" * 8000),))),
            *[wire.frame(wire.CONTINUATION, 0, 1, wire.block(((b"x", b"v" * 8000),)))] * MAX_CONTINUATIONS * 2,
        )
    ),
    "endless continuation": OPEN_HEAD + wire.frame(wire.CONTINUATION, 0, 1) * (MAX_CONTINUATIONS + 1),
    "an interrupted head": OPEN_HEAD + wire.ping(),
    "more than the window": head(1) + wire.data(1, bytes(16_384)) * (ORIGIN_STREAM_WINDOW // 16_384 + 1),
    "empty frames": head(1) + wire.data(1, b"") * 11,
    "resets": wire.rst_stream(1) * (RESET_BURST + 10),
    "pings": wire.ping() * 1100,
    "settings": wire.settings() * 1100,
    "a connection window that overflows": wire.window_update(0, 2**31 - 1),
    "a window update of zero": wire.window_update(0, 0),
    "settings on a stream": wire.frame(wire.SETTINGS, 0, 1),
    "an initial window beyond all": wire.settings({4: 2**31}),
    "heads for a stream that is over": wire.rst_stream(1) + wire.headers(1, OK) * (RESET_BURST + 10),
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_connection_fails_every_stream(raw: bytes) -> None:
    """It says GOAWAY, every stream hears why, and what comes behind is swallowed."""
    peer = OriginPeer()
    first, second = peer.get(), peer.get()
    peer.say(raw)
    assert peer.engine.failure
    assert peer.sent(wire.GOAWAY)
    assert peer.failure(first)
    assert peer.failure(second)
    assert peer.say(head(second, end=True)) == []
    assert not peer.engine.room


def test_resets_that_end_streams_are_no_flood() -> None:
    """gRPC servers end calls early with RST_STREAM, one for each stream: thousands in a row are traffic."""
    peer = OriginPeer()
    for _ in range(3 * RESET_BURST):
        stream_id = peer.post()
        peer.say(head(stream_id, (b"grpc-status", b"13"), end=True) + wire.rst_stream(stream_id, 0))
    assert not peer.engine.failure


def test_an_origin_that_measures_the_way_is_no_flood() -> None:
    """gRPC servers in Go answer every message with a WINDOW_UPDATE and a PING, however many come a second."""
    peer = OriginPeer()
    stream_id = peer.post()
    for _ in range(2000):
        peer.engine.send_body(stream_id, b"message", end=False)
        peer.read()
        peer.say(wire.window_update(0, 7), wire.ping())
    assert not peer.engine.failure


# -- credit -----------------------------------------------------------------------------------------------------------
def test_credit_for_a_stream_comes_when_its_bytes_are_taken() -> None:
    """Until then the origin may send one window and no more; the connection's window is given back at once."""
    peer = OriginPeer()
    first, second = peer.get(), peer.get()
    peer.say(head(first), head(second))
    for _ in range(ORIGIN_STREAM_WINDOW // 16_384):
        peer.say(wire.data(first, bytes(16_384)))
    assert not peer.sent(wire.WINDOW_UPDATE, first)
    given = sum(each.number for each in peer.sent(wire.WINDOW_UPDATE, 0)[1:])
    for _ in range(ORIGIN_CONNECTION_WINDOW // 16_384):
        peer.say(wire.data(second, bytes(16_384)))
        peer.engine.body_consumed(second, 16_384)
        peer.read()
    assert not peer.engine.failure
    assert sum(each.number for each in peer.sent(wire.WINDOW_UPDATE, 0)[1:]) > given
    peer.engine.body_consumed(first, ORIGIN_STREAM_WINDOW)
    peer.read()
    assert sum(each.number for each in peer.sent(wire.WINDOW_UPDATE, first)) == ORIGIN_STREAM_WINDOW


def test_bytes_for_a_stream_that_was_given_up_count_for_the_connection_only() -> None:
    """However many were on their way, the connection does not run dry."""
    peer = OriginPeer()
    stream_id = peer.get()
    peer.say(head(stream_id))
    peer.engine.reset(stream_id)
    for _ in range(3 * ORIGIN_CONNECTION_WINDOW // 16_384):
        assert peer.say(wire.data(stream_id, bytes(16_384))) == []
    assert not peer.engine.failure


# -- any input --------------------------------------------------------------------------------------------------------
PIECES = [
    wire.settings(), wire.settings({4: 0}), wire.settings({3: 1}), wire.ping(), wire.goaway(1), wire.goaway(0, 2),
    wire.rst_stream(1), wire.rst_stream(3, 7), wire.window_update(0, 9), wire.window_update(1, 9),
    head(1), head(1, end=True), head(3, (b"content-length", b"3")), head(1, status=b"103"), wire.data(1, b"abc"),
    wire.data(3, b"abc", end=True), wire.data(5, b"x"), trailers(1, [(b"a", b"b")]), trailers(3, [(b":x", b"b")]),
    OPEN_HEAD, wire.frame(wire.CONTINUATION, wire.END_HEADERS, 1), wire.headers(2, OK), wire.frame(0xFE, 7, 1, b"x"), b"\0",
]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12), st.lists(st.integers(1, 30), max_size=12))
def test_any_input_is_legal_or_fails_however_it_is_cut(pieces: list[bytes], sizes: list[int]) -> None:
    """No exception, at most one end for each stream and nothing behind it; the same events in one read and in many."""
    raw = b"".join(pieces)
    seen = []
    for reads in ([raw], [*cut(raw, sizes)]):
        peer = OriginPeer()
        for _ in range(3):
            peer.get()
        peer.say(*reads)
        peer.events += peer.engine.receive_eof()
        seen.append([plain(peer.of(stream_id)) for stream_id in (1, 3, 5)])
        for stream_id in (1, 3, 5):
            ends = [isinstance(event, ResponseEnded | ResponseFailed) for event in peer.of(stream_id)]
            assert ends.count(True) == 1
            assert ends[-1]
    assert seen[0] == seen[1]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_is_survived(garbage: bytes) -> None:
    """Whatever bytes come, before or behind SETTINGS."""
    for peer in (OriginPeer(silent=True), OriginPeer()):
        peer.say(garbage)
        peer.engine.receive_eof()


# -- a real server ----------------------------------------------------------------------------------------------------
def test_a_real_server_understands_us() -> None:
    """python-h2 as the origin: forty requests with bodies through its windows, each answered with what it said."""
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
    server.initiate_connection()
    engine, events = HTTP2OriginEngine(), []
    bodies: dict[int, bytes] = {}

    def turn() -> bool:
        up, down = engine.data_to_send(1 << 16), b""
        for event in server.receive_data(up):
            if isinstance(event, h2.events.DataReceived):
                bodies[event.stream_id] = bodies.get(event.stream_id, b"") + (event.data or b"")
                server.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                server.send_headers(event.stream_id, [(b":status", b"200")])
                server.send_data(event.stream_id, bodies[event.stream_id][:5])
                server.send_headers(
                    event.stream_id, [(b"x-length", b"%d" % len(bodies[event.stream_id]))], end_stream=True
                )
        down = server.data_to_send()
        events.extend(engine.receive_data(down, 0.0))
        return bool(up or down)

    turn()
    for number in range(40):
        stream_id = engine.begin(b"POST", b"/", HOST, None, ended=False)
        engine.send_body(stream_id, b"%05d" % number * 2000, end=True)
    while turn():
        pass
    ends = [event for _, event in events if isinstance(event, ResponseEnded)]
    assert ends == [ResponseEnded(True, ((b"x-length", b"10000"),))] * 40
