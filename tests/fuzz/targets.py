"""What is fuzzed, and what must hold for every input."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from hpack import Decoder
from hpack.exceptions import HPACKError

from edge.config.flags import Flags
from edge.config.load import load
from edge.errors import ConfigError, RequestRefused
from edge.http.client_identity import parse_forwarded
from edge.http.conditional import Validators, conditions_of, decide
from edge.http.dates import format_http_date, parse_http_date
from edge.http.message import ResponseHead
from edge.http.negotiation import choose_coding, parse_accept_encoding
from edge.http.path import format_path, parse_path
from edge.http.ranges import MAX_PARTS, parse_range
from edge.http.validation import check_field, check_target, normalise_authority, parse_content_length, split_authority
from edge.net.proxy_protocol import IncompleteError, MalformedError, parse_header
from edge.tls import client_hello
from edge.wire.chunked import BrokenChunks, ChunkedDecoder
from edge.wire.engine import BodyReceived, Event, RequestReceived
from edge.wire.hpack_decoder import BlockDecoder
from edge.wire.http1_origin import HTTP1OriginEngine
from edge.wire.origin import DataReceived, HeadReceived, OriginEvent, ResponseEnded
from tests.corpus.http1 import ABORTED, ACCEPTED, REFUSED
from tests.corpus.http2.header_lists import SHAPES
from tests.fuzz.samples import (
    CONFIGURATIONS,
    FIELD_VALUES,
    FLAGS,
    FRAMES,
    HELLOS,
    PATHS,
    PROXY_HEADERS,
    RANGES,
    RESPONSES,
)
from tests.wire import http2_frames as wire
from tests.wire.driving import Visit, byte_by_byte, comparable, cut, read_response, upto_end, whole
from tests.wire.http2_peer import Peer
from tests.wire.test_http2_fuzz import check

MODIFIED = 1_700_000_000


class Target(NamedTuple):
    """`run` raises on a bug. `seeds` are where mutation begins; `limit` bytes are enough."""

    run: Callable[[bytes], None]
    seeds: Iterable[bytes]
    limit: int = 4096


def http1(data: bytes) -> None:
    """A request means the same however it is cut, and nothing raises."""
    one, many = Visit().read(whole(data)), Visit().read(byte_by_byte(data))
    assert many.events == one.events
    assert many.engine.must_close == one.engine.must_close
    assert many.end().events == one.end().events


def _http2(kind: str) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        """Frames behind a good beginning are understood or end the connection, in one piece or in many, answered or not."""
        for pieces in (whole(data), list(cut(data, [7] * (len(data) // 7)))):
            for answers in (False, True):
                peer = Peer(kind)
                for piece in pieces:
                    for event in peer.send(piece):
                        if answers:
                            _answer(peer, event)
                peer.read()
                check(peer)

    return run


def _answer(peer: Peer, event: Event) -> None:
    """A whole response on some streams, a long one that does not end on others."""
    if isinstance(event, RequestReceived) and event.stream_id % 4 == 1:
        peer.engine.send_response(event.stream_id, ResponseHead(200, (), 3), b"abc")
    elif isinstance(event, RequestReceived):
        peer.engine.send_head(event.stream_id, ResponseHead(200, (), None))
        peer.engine.send_body(event.stream_id, b"x" * 70_000, end=False)
    elif isinstance(event, BodyReceived):
        peer.engine.body_consumed(event.stream_id, event.credit)


def hpack_block(data: bytes) -> None:
    """What the decoder takes, hpack takes too and reads the same, block after block."""
    ours, theirs = BlockDecoder(), Decoder()
    theirs.max_header_list_size = 1 << 20
    for block in data.split(b"\xff\xff\xff\xff"):
        try:
            fields = ours.decode(block, raw=True)
        except HPACKError:
            return
        assert [tuple(each) for each in theirs.decode(block, raw=True)] == [tuple(each) for each in fields]


def hello(data: bytes) -> None:
    """A ClientHello is read, incomplete or malformed; more behind it changes nothing."""
    with contextlib.suppress(client_hello.IncompleteError, client_hello.MalformedError):
        found = client_hello.parse_client_hello(data)
        assert client_hello.parse_client_hello(data + b"x") == found


def proxy_header(data: bytes) -> None:
    """An announcement holds a numeric address and is no longer than the data; every shorter beginning is incomplete."""
    with contextlib.suppress(IncompleteError, MalformedError):
        found = parse_header(data)
        assert found.length <= len(data)
        assert not found.address or ip_address(found.address)
        assert 0 <= found.port <= 65535
        assert parse_header(data + b"x") == found
        for length in range(found.length):
            with contextlib.suppress(IncompleteError):
                parse_header(data[:length])
                raise AssertionError("complete too early")


def path(data: bytes) -> None:
    """A path that is accepted has one canonical spelling, which reads the same."""
    try:
        check_target(b"GET", data)
        found = parse_path(data)
    except RequestRefused:
        return
    assert b".." not in found.segments
    assert b"." not in found.segments
    assert parse_path(format_path(found.segments)).segments == found.segments


def ranges(data: bytes) -> None:
    """Ranges lie inside the file, are few and do not overlap."""
    size = 10_000
    found = parse_range(data, size) or []
    assert len(found) <= MAX_PARTS
    assert all(0 <= each.start < each.stop <= size for each in found)
    assert sum(map(len, found)) <= size


def fields(data: bytes) -> None:
    """The values of fields that edge understands: read or ignored, never an error of another kind."""
    name, _, value = data.partition(b":")
    with contextlib.suppress(RequestRefused):
        check_field(name, value)
        assert not {0, 10, 13}.intersection(value)
    with contextlib.suppress(RequestRefused):
        authority = normalise_authority(value, b"https")
        assert normalise_authority(authority, b"https") == authority
        split_authority(authority)
    with contextlib.suppress(RequestRefused):
        assert 0 <= parse_content_length(value) < 10**15
    moment = parse_http_date(value, MODIFIED)
    assert moment is None or parse_http_date(format_http_date(moment), MODIFIED) == moment
    parse_accept_encoding(value)
    choose_coding(value, {"identity": 9, "gzip": 5, "br": 4})
    parse_forwarded(value)
    for condition in (b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"if-range"):
        decide(
            b"GET", conditions_of(((condition, value), (b"range", b"bytes=0-1"))), Validators(b'"x"', MODIFIED, True)
        )


def chunked(data: bytes) -> None:
    """A chunked body is the same however it is cut."""
    assert _unchunk(whole(data)) == _unchunk(byte_by_byte(data))


def _unchunk(pieces: Iterable[bytes]) -> tuple[bool, bytes, int, bool]:
    decoder, body, used = ChunkedDecoder(), b"", 0
    for piece in pieces:
        if not decoder.ended:
            try:
                used += decoder.feed(piece)
            except BrokenChunks:
                return False, body + decoder.take(), 0, True
            body += decoder.take()
    return decoder.ended, body, used, False


def response(data: bytes) -> None:
    """An origin's response means the same however it is cut."""
    for method in (b"GET", b"HEAD"):
        one = read_response(whole(data), method)
        many = read_response(byte_by_byte(data), method)
        assert upto_end(many) == upto_end(one)
        engine = HTTP1OriginEngine()
        engine.begin(method)
        short_cut = engine.take_whole(data)
        if short_cut is not None:
            head, body, reusable = short_cut.head, short_cut.body, short_cut.reusable
            long_way: list[OriginEvent] = [HeadReceived(head, not body)]
            long_way += [DataReceived(body)] if body else []
            long_way += [ResponseEnded(reusable)]
            assert comparable(one) == comparable(long_way)


def configuration(data: bytes) -> None:
    """A file is a configuration or a list of complaints."""
    _load(Flags(config=str(_file_with(data))))


def flags(data: bytes) -> None:
    """So are flags, whatever is in them."""
    words = data.decode("utf-8", "surrogateescape").split("\n")
    pairs = [(words[index], words[index + 1]) for index in range(0, len(words) - 1, 2)]
    given: dict[str, object] = {}
    for name, value in pairs:
        if name in _MANY:
            given[name] = (*given.get(name, ()), value)  # type: ignore[misc]  # a tuple by _MANY
        elif name in Flags.__struct_fields__ and name != "config":
            given[name] = value
    _load(Flags(**given))  # type: ignore[arg-type]  # text, as the command line gives it


_MANY = ("domain", "upstream", "static", "media", "internal", "bind", "trusted_proxies")
_directory = tempfile.TemporaryDirectory(prefix="edge-fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)


def _file_with(data: bytes) -> Path:
    file = Path(_directory.name) / "edge.toml"
    file.write_bytes(data)
    return file


def _load(given: Flags) -> None:
    complaints: list[str] = []
    try:
        load(given, {"HOME": "/home/somebody"})
    except ConfigError as error:
        complaints = list(error.complaints) or [""]
    assert all(each and each.isprintable() for each in complaints), complaints


_HTTP1 = [*(row[1] for row in REFUSED), *(row[1] for row in ABORTED), *(row[1] for row in ACCEPTED)]
_SHORT = [shape for shape in SHAPES if len(shape.headers) < 50]
_OPENED = [wire.headers(1, shape.headers, shape.ended) for shape in _SHORT]

TARGETS: dict[str, Target] = {
    "http1": Target(http1, [each for each in _HTTP1 if len(each) < 2000]),
    "http2-h2": Target(_http2("h2"), [*FRAMES, *_OPENED]),
    "http2-ngh2": Target(_http2("ngh2"), [*FRAMES, *_OPENED]),
    "hpack": Target(hpack_block, [frame[9:] for frame in _OPENED], limit=2048),
    "client-hello": Target(hello, HELLOS),
    "proxy-header": Target(proxy_header, PROXY_HEADERS, limit=600),
    "path": Target(path, PATHS, limit=600),
    "ranges": Target(ranges, RANGES, limit=400),
    "fields": Target(fields, FIELD_VALUES, limit=400),
    "chunked": Target(chunked, [row[1].partition(b"\r\n\r\n")[2] for row in ABORTED if len(row[1]) < 2000]),
    "response": Target(response, RESPONSES),
    "configuration": Target(configuration, CONFIGURATIONS),
    "flags": Target(flags, FLAGS),
}
