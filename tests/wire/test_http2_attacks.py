"""One test per known attack on HTTP/2 servers: the engine ends what must end, early, and holds little meanwhile."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import pytest

from edge.http.limits import (
    CONTROL_BURST,
    CONTROL_RATE,
    MAX_CONTROL_OUTPUT,
    MAX_STREAMS,
    MIN_SLICE,
    RESET_BURST,
    RESET_RATE,
)
from edge.http.message import ResponseHead
from edge.wire.engine import BodyReceived, ConnectionEnded, RequestReceived, RequestRefused, StreamAborted
from tests.wire import http2_frames as wire
from tests.wire.http2_peer import KINDS, Peer

OK = ResponseHead(200, (), None)


def flood(peer: Peer, frames: Iterator[bytes] | list[bytes], batch: int = 50) -> int:
    """Send frames in reads of `batch` until the engine ends the connection; how many went in."""
    pending, sent = list(frames), 0
    while pending[sent:] and not peer.engine.must_close:
        peer.send(b"".join(pending[sent : sent + batch]))
        sent += batch
    return sent


def assert_ended(peer: Peer, code: int) -> None:
    """GOAWAY with `code` is the last frame, and the driver has been told once."""
    assert [type(each) for each in peer.events].count(ConnectionEnded) == 1
    assert isinstance(peer.events[-1], ConnectionEnded)
    assert peer.frames[-1].kind == wire.GOAWAY
    assert peer.frames[-1].code == code
    assert peer.engine.must_close


def assert_alive(peer: Peer, stream_id: int) -> None:
    """A new request is still served."""
    peer.send(wire.headers(stream_id))
    assert peer.got(RequestReceived)[-1].stream_id == stream_id


def odd(count: int) -> Iterator[int]:
    return iter(range(1, 2 * count, 2))


def test_rapid_reset(peer: Peer) -> None:
    """CVE-2023-44487: requests withdrawn at once start no work, and end the connection at the budget's end."""
    sent = flood(peer, [wire.headers(each) + wire.rst_stream(each) for each in odd(1000)])
    assert sent <= RESET_BURST + 50
    assert peer.got(RequestReceived) == []
    assert_ended(peer, wire.ENHANCE_YOUR_CALM)


def test_rapid_reset_read_by_read(peer: Peer) -> None:
    """CVE-2023-44487: one pair per read makes exchanges, each aborted, and no more than the budget."""
    flood(peer, [part for each in odd(1000) for part in (wire.headers(each), wire.rst_stream(each))], batch=1)
    assert len(peer.got(StreamAborted)) <= RESET_BURST
    assert_ended(peer, wire.ENHANCE_YOUR_CALM)


def test_a_cancelled_page_load_is_no_attack(peer: Peer) -> None:
    """A hundred streams reset at once, again after some seconds, is what browsers do."""
    stream_ids = odd(RESET_BURST * 2)
    for _ in range(4):
        peer.now += MAX_STREAMS / RESET_RATE
        chosen = [next(stream_ids) for _ in range(MAX_STREAMS)]
        peer.send(b"".join(wire.headers(each) for each in chosen))
        peer.send(b"".join(wire.rst_stream(each) for each in chosen))
    assert_alive(peer, 2 * 4 * MAX_STREAMS + 1)


@pytest.mark.parametrize(
    "provoke",
    [
        lambda each: wire.window_update(each, 2**31 - 1),
        lambda each: wire.data(each, b"x"),
        wire.headers,
    ],
    ids=["window overflow", "DATA after the end", "HEADERS after the end"],
)
def test_made_you_reset(peer: Peer, provoke: Callable[[int], bytes]) -> None:
    """CVE-2025-8671: resets that the peer provokes count like its own, and abort the exchange."""
    flood(peer, [part for each in odd(1000) for part in (wire.headers(each), provoke(each))], batch=1)
    assert len(peer.got(RequestReceived)) <= RESET_BURST + 1
    assert len(peer.got(StreamAborted)) >= len(peer.got(RequestReceived)) - 1
    assert isinstance(peer.events[-1], ConnectionEnded)
    assert peer.engine.must_close


def test_wrong_bodies_count_as_resets(peer: Peer) -> None:
    """Bodies that break their announcement make us reset: that budget is the same."""
    post = (*wire.POST, (b"content-length", b"1"))
    flood(peer, [wire.headers(each, post, end=False) + wire.data(each, b"xx") for each in odd(1000)], batch=1)
    assert len(peer.got(RequestReceived)) <= RESET_BURST + 1
    assert_ended(peer, wire.ENHANCE_YOUR_CALM)


@pytest.mark.parametrize("payload", [b"", b"x"])
def test_continuation_flood(peer: Peer, payload: bytes) -> None:
    """VU#421644: a header block has at most eight CONTINUATION frames."""
    sent = flood(peer, [wire.frame(wire.HEADERS, 0, 1), *[wire.frame(wire.CONTINUATION, 0, 1, payload)] * 100], batch=1)
    assert sent <= 10
    assert_ended(peer, wire.ENHANCE_YOUR_CALM)


def test_large_header_block(peer: Peer) -> None:
    """A header block is refused unread when its compressed size passes the limit."""
    rest = wire.frame(wire.CONTINUATION, 0, 1, b"\x20" * 16384)
    flood(peer, [wire.frame(wire.HEADERS, 0, 1, b"\x20" * 16384), *[rest] * 8], batch=1)
    assert_ended(peer, wire.ENHANCE_YOUR_CALM)


def bomb(references: int) -> bytes:
    """A block that stores one field of 4 KiB and refers to it again and again."""
    entry = b"\x40\x01a" + b"\x7f\xa1\x1e" + b"b" * 4000
    return wire.block(wire.GET) + entry + b"\xbe" * references


@pytest.mark.parametrize(("references", "ends"), [(10, False), (30, False), (200, True), (10_000, True)])
def test_hpack_bomb(peer: Peer, references: int, ends: bool) -> None:
    """CVE-2016-6581: a list that grows past the limit is refused on its stream, far past it ends the connection."""
    peer.send(wire.frame(wire.HEADERS, wire.END_HEADERS | wire.END_STREAM, 1, bomb(references)))
    assert peer.got(RequestReceived) == []
    if ends:
        assert peer.engine.must_close
        assert peer.frames[-1].kind == wire.GOAWAY
    else:
        assert peer.got(RequestRefused) == [RequestRefused(1, 431, "head-too-large")]
        assert_alive(peer, 3)


@pytest.mark.parametrize(("crumbs", "ends"), [(101, False), (380, False), (1000, True)])
def test_cookie_crumb_bomb(peer: Peer, crumbs: int, ends: bool) -> None:
    """CVE-2026-49975: crumbs are counted before they are joined."""
    block = wire.block(wire.GET) + b"\x60\x00" + b"\xbe" * (crumbs - 1)
    peer.send(wire.frame(wire.HEADERS, wire.END_HEADERS | wire.END_STREAM, 1, block))
    assert peer.got(RequestReceived) == []
    if ends:
        assert peer.engine.must_close
    else:
        assert peer.got(RequestRefused) == [RequestRefused(1, 431, "too-many-fields")]
        assert_alive(peer, 3)


def test_table_size_updates() -> None:
    """A block of table size updates is refused by the decoder that is written in Python, before it costs time."""
    peer = Peer("h2")
    peer.send(wire.frame(wire.HEADERS, wire.END_HEADERS | wire.END_STREAM, 1, b"\x20" * 10_000 + wire.block(wire.GET)))
    assert peer.engine.must_close


@pytest.mark.parametrize(
    "frame",
    [
        wire.settings(),
        wire.settings({1: 0}),
        wire.ping(),
        wire.frame(wire.PRIORITY, 0, 1, struct.pack(">LB", 3, 1)),
        wire.window_update(0, 1),
        wire.window_update(1, 1),
        wire.goaway(),
        wire.frame(0xEE, 0, 0, b"unknown"),
        wire.frame(wire.PRIORITY_UPDATE, 0, 0, b"\0\0\0\1u=1"),
        wire.frame(wire.DATA, wire.PADDED, 3, b"\0"),
    ],
    ids=["SETTINGS", "SETTINGS 0", "PING", "PRIORITY", "WINDOW_UPDATE 0", "WINDOW_UPDATE", "GOAWAY", "unknown",
         "PRIORITY_UPDATE", "padding"],
)  # fmt: skip
def test_control_floods(peer: Peer, frame: bytes) -> None:
    """CVE-2019-9512, -9513, -9515 and kin: frames that carry nothing are paid from a budget that refills slowly."""
    peer.send(wire.headers(1), wire.headers(3, wire.POST, end=False))
    sent = flood(peer, [frame] * (2 * CONTROL_BURST))
    assert sent <= CONTROL_BURST + 100
    assert peer.engine.must_close
    assert sum(len(each.payload) + 9 for each in peer.frames) < MAX_CONTROL_OUTPUT


def test_a_client_that_measures_the_way_is_no_attack(peer: Peer) -> None:
    """gRPC clients in Go answer every message with a WINDOW_UPDATE and a PING, however many come a second."""
    peer.send(wire.headers(1))
    peer.engine.send_head(1, ResponseHead(200, (), None))
    for _ in range(2000):
        peer.engine.send_body(1, b"message", end=False)
        peer.read()
        peer.send(wire.window_update(0, 7), wire.ping())
    assert not peer.is_ended


def test_steady_control_frames_are_no_attack(peer: Peer) -> None:
    """A ping now and then, for as long as the client likes, is not a flood."""
    for _ in range(30):
        peer.now += 1.0
        peer.send(wire.ping() * (CONTROL_RATE - 10))
    assert_alive(peer, 1)


def test_too_many_settings(peer: Peer) -> None:
    """A SETTINGS frame has at most 32 entries."""
    peer.send(wire.settings(dict.fromkeys(range(1000, 1040), 1)))
    assert_ended(peer, wire.ENHANCE_YOUR_CALM)


def test_unknown_settings_are_not_kept(peer: Peer) -> None:
    """Identifiers that nobody knows leave nothing behind."""
    for start in range(1000, 4000, 30):
        peer.now += 1
        peer.send(wire.settings(dict.fromkeys(range(start, start + 30), 1)))
    connection = getattr(peer.engine, "_connection", None)
    kept = getattr(connection, "remote_settings", {})
    assert len(kept) < 20
    assert_alive(peer, 1)


def test_reset_flood(peer: Peer) -> None:
    """CVE-2019-9514: frames on streams that are gone are not answered one for one, and run out of budget."""
    peer.send(wire.headers(1, wire.POST, end=False), wire.rst_stream(1))
    before = len(peer.frames)
    sent = flood(peer, [wire.rst_stream(1)] * 2000)
    assert sent <= RESET_BURST + 100
    assert len(peer.frames) - before <= 1
    assert peer.engine.must_close


def test_data_on_a_reset_stream_is_not_answered(peer: Peer) -> None:
    """What was on its way when we reset a stream is swallowed, and its bytes are credited to the connection."""
    peer.send(wire.headers(1, wire.POST, end=False))
    peer.engine.reset(1)
    peer.read()
    peer.send(*[wire.data(1, b"x" * 1000)] * 60)
    assert len(peer.seen(wire.RST_STREAM)) == 1
    assert peer.got(BodyReceived) == []
    assert_alive(peer, 3)


def test_empty_data_flood(peer: Peer) -> None:
    """CVE-2019-9518: ten empty DATA frames in a row are enough."""
    peer.send(wire.headers(1, wire.POST, end=False))
    assert flood(peer, [wire.data(1, b"")] * 100, batch=1) <= 12
    assert_ended(peer, wire.ENHANCE_YOUR_CALM)


def test_a_frame_too_large_is_refused_by_its_header(peer: Peer) -> None:
    """Nine bytes that announce 16 MiB end the connection; nothing is buffered."""
    peer.send(wire.headers(1, wire.POST, end=False), wire.frame(wire.DATA, 0, 1, length=2**24 - 1))
    assert_ended(peer, wire.FRAME_SIZE_ERROR)


def test_one_byte_windows() -> None:
    """CVE-2019-9511: the reference engine never frames less than 1 KiB unless it ends a body."""
    peer = Peer("h2", {4: 1})
    peer.send(wire.headers(1))
    peer.engine.send_response(1, ResponseHead(200, (), 5000), b"x" * 5000)
    for _ in range(100):
        peer.send(wire.window_update(1, 1))
    assert peer.seen(wire.DATA) == []
    peer.send(wire.window_update(1, MIN_SLICE), wire.window_update(1, 5000))
    sizes = [len(each.payload) for each in peer.seen(wire.DATA)]
    assert min(sizes[:-1]) >= MIN_SLICE
    assert sum(sizes) == 5000


def test_window_dribble_runs_out_of_budget(peer: Peer) -> None:
    """CVE-2019-9517: windows opened byte by byte end the connection with either engine."""
    peer.send(wire.settings({4: 0}), wire.headers(1))
    peer.engine.send_response(1, ResponseHead(200, (), 50_000), b"x" * 50_000)
    flood(peer, [wire.window_update(1, 1)] * 3000)
    assert peer.engine.must_close
    assert len(peer.body(1)) < 3000


def test_a_peer_that_does_not_read_is_not_read(peer: Peer) -> None:
    """Answers that nobody takes stop the input, long before they fill memory."""
    sent = 0
    while peer.engine.wants_data and sent < 20_000:
        peer.now += 1
        peer.send(wire.ping() * 100, read=False)
        sent += 100
    assert not peer.engine.wants_data
    assert len(b"".join(iter(lambda: peer.engine.data_to_send(65536), b""))) < 2 * MAX_CONTROL_OUTPUT


def test_too_many_streams(peer: Peer) -> None:
    """Streams beyond the limit are refused one by one (RFC 9113 §5.1.2); the others and the connection live."""
    peer.send(b"".join(wire.headers(each, wire.POST, end=False) for each in odd(MAX_STREAMS + 5)))
    assert len(peer.got(RequestReceived)) == MAX_STREAMS
    refused = peer.seen(wire.RST_STREAM)
    assert [each.stream_id for each in refused] == [2 * MAX_STREAMS + 1 + 2 * extra for extra in range(5)]
    assert {each.code for each in refused} == {wire.REFUSED_STREAM}
    peer.engine.send_response(1, OK, b"done")
    peer.read()
    assert peer.body(1) == b"done"
    peer.send(wire.data(1, b"", end=True))
    assert_alive(peer, 2 * MAX_STREAMS + 11)


def test_a_huge_encoder_table_is_declined(peer: Peer) -> None:
    """However large a table the peer allows, response heads cost the same at the thousandth as at the first."""
    peer.send(wire.settings({1: 2**32 - 1}))
    sizes = set()
    for each in odd(300):
        peer.send(wire.headers(each))
        peer.engine.send_response(each, ResponseHead(200, ((b"x-number", b"%06d" % each),), 0), b"")
        peer.read()
        sizes.add(len(peer.seen(wire.HEADERS, each)[0].payload))
    assert max(sizes) < 200


def test_closed_streams_are_forgotten(peer: Peer) -> None:
    """What is kept of finished streams is bounded."""
    for each in odd(1500):
        peer.send(wire.headers(each))
        peer.engine.send_response(each, OK, b"x")
        peer.read()
    connection = getattr(peer.engine, "_connection", None)
    assert len(getattr(connection, "_closed_streams", {})) <= 512
    assert len(getattr(connection, "streams", {})) == 0
    assert peer.engine.is_idle


def test_a_broken_header_block_ends_the_connection(peer: Peer) -> None:
    """HPACK out of step cannot be repaired (RFC 9113 §4.3)."""
    peer.send(wire.frame(wire.HEADERS, wire.END_HEADERS | wire.END_STREAM, 1, b"\xff\xff\xff\xff\xff\xff"))
    assert_ended(peer, wire.COMPRESSION_ERROR)


def test_stream_ids_only_grow(peer: Peer) -> None:
    """A head on a lower stream id than one seen opens nothing (RFC 9113 §5.1.1)."""
    peer.send(wire.headers(3), wire.headers(1))
    assert [each.stream_id for each in peer.got(RequestReceived)] == [3]


@pytest.mark.parametrize(
    "frames",
    [
        b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
        wire.PREFACE + wire.headers(1),
        wire.PREFACE + wire.frame(wire.SETTINGS, 1, 0),
        wire.opening() + wire.headers(2),
        wire.opening() + wire.data(1, b"x"),
        wire.opening() + wire.frame(wire.HEADERS, 0, 1) + wire.ping(),
        wire.opening() + wire.frame(wire.CONTINUATION, wire.END_HEADERS, 1),
        wire.opening() + wire.frame(wire.PING, 0, 0, b"short"),
        wire.opening() + wire.frame(wire.PING, 0, 1, b"12345678"),
        wire.opening() + wire.window_update(0, 0),
        wire.opening() + wire.window_update(0, 2**31 - 1),
        wire.opening() + wire.settings({4: 2**31}),
        wire.opening() + wire.frame(wire.SETTINGS, 0, 0, b"odd"),
        wire.opening() + wire.headers(1, wire.POST, end=False) + wire.frame(wire.DATA, wire.PADDED, 1, b"\xff"),
    ],
    ids=lambda frames: frames[24:60].hex() or "preface",
)
def test_broken_framing_ends_the_connection(frames: bytes) -> None:
    """Frames that make no sense end the connection with a GOAWAY, whole or byte by byte, with either engine."""
    for kind in KINDS:
        for chunks in ([frames], [frames[index : index + 1] for index in range(len(frames))]):
            peer = Peer(kind, opening=b"")
            peer.send(*chunks)
            assert peer.engine.must_close
            assert peer.frames[-1].kind == wire.GOAWAY
            assert peer.frames[-1].code != 0
