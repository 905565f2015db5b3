"""The HTTP/1.1 engine on the origin's side: our own request heads out, one response at a time in (RFC 9112).

    IDLE ──begin──► HEAD ──► LENGTH | CHUNKS | UNTIL_CLOSE ──► IDLE, or BROKEN when the connection is used up
      │              │ interim heads: stay
      └─ any byte ─► BROKEN ◄─ anything that cannot be understood

A 101 that was asked for is a head, and all that follows it is a body UNTIL_CLOSE.

`HeadReceived` is always followed by `ResponseEnded` or `ResponseFailed`, for a response without a body at once. Counted bodies
pass through as they come; only heads and chunk framing are parsed.
"""

from __future__ import annotations

from typing import Final

from edge.errors import RequestRefused, UpstreamError
from edge.http.limits import MAX_INTERIM_RESPONSES, MAX_RESPONSE_HEAD
from edge.http.message import Fields
from edge.http.trailers import clean_trailers
from edge.http.websocket import WEBSOCKET, is_accepted
from edge.wire.chunked import BrokenChunks, ChunkedDecoder
from edge.wire.head_syntax import END_OF_HEAD, find_broken_line_end
from edge.wire.origin import (
    DataReceived,
    HeadReceived,
    InterimReceived,
    OriginEvent,
    ResponseEnded,
    ResponseFailed,
    WholeResponse,
)
from edge.wire.response_format import format_fields
from edge.wire.response_head import CHUNKS, LENGTH, NO_BODY, UNTIL_CLOSE, ParsedResponse, parse_response_head

_BEGINNING: Final = b"HTTP/1."

_METHODS_WITH_BODY: Final = frozenset((b"POST", b"PUT", b"PATCH"))
"""Methods whose empty body is announced (RFC 9110 §8.6); for others silence means that there is none."""


def format_request_head(method: bytes, target: bytes, fields: bytes | Fields, content_length: int | None) -> bytes:
    """A whole HTTP/1.1 request head, framing included; None announces a chunked body.

    `fields` must include `host` and nothing hop-by-hop but what makes a WebSocket handshake; as bytes they are ready lines,
    each with its CRLF. All parts come from validated values, so no byte of a client's framing can be among them.
    """
    lines = fields if isinstance(fields, bytes) else format_fields(fields)
    if content_length is None:
        framing = b"transfer-encoding: chunked\r\n"
    elif content_length or method in _METHODS_WITH_BODY:
        framing = b"content-length: %d\r\n" % content_length
    else:
        framing = b""
    return b"%b %b HTTP/1.1\r\n%b%b\r\n" % (method, target, lines, framing)


_IDLE: Final = "idle"
_HEAD: Final = "head"
_BROKEN: Final = "broken"
"""States besides the framings of a body that is being read."""


class HTTP1OriginEngine:
    """Implements `edge.wire.origin.OriginEngine`."""

    __slots__ = ("_accept", "_chunks", "_interims", "_kept", "_method", "_persistent", "_remaining", "_seen", "_state")

    def __init__(self) -> None:
        self._state: str = _IDLE
        self._method = b""
        self._kept = bytearray()
        self._seen = False
        self._interims = 0
        self._remaining = 0
        self._persistent = True
        self._chunks: ChunkedDecoder | None = None
        self._accept = b""

    def __repr__(self) -> str:
        return f"<HTTP1OriginEngine {self._state}>"

    def begin(self, method: bytes) -> None:
        """See `OriginEngine`. Only on a new connection, or after `ResponseEnded(reusable=True)`."""
        assert self._state == _IDLE, f"begin in state {self._state}"
        self._state = _HEAD
        self._method = method
        self._seen = False
        self._interims = 0

    def expect_tunnel(self, accept: bytes) -> None:
        """See `OriginEngine`."""
        self._accept = accept

    def take_whole(self, data: bytes) -> WholeResponse | None:
        """See `OriginEngine`."""
        end = data.find(END_OF_HEAD) + len(END_OF_HEAD)
        if self._state != _HEAD or self._seen or end < len(END_OF_HEAD):
            return None
        try:
            parsed = parse_response_head(data[:end], self._method)
        except UpstreamError:
            return None
        if parsed.framing != LENGTH or parsed.content_length != len(data) - end:
            return None
        self._state = _IDLE if parsed.persistent else _BROKEN
        return WholeResponse(parsed.new_head(), data[end:], parsed.persistent)

    def receive_data(self, data: bytes) -> list[OriginEvent]:
        """See `OriginEngine`. After `ResponseFailed`, and after `ResponseEnded(reusable=False)`, bytes are swallowed."""
        events: list[OriginEvent] = []
        try:
            self._read(data, events)
        except UpstreamError as error:
            events.append(self._fail(error.reason))
        except BrokenChunks as error:
            events.append(self._fail(error.reason))
        return events

    def receive_eof(self) -> list[OriginEvent]:
        """See `OriginEngine`. No event when no response is due."""
        if self._state == UNTIL_CLOSE:
            self._state = _BROKEN
            return [ResponseEnded(reusable=False)]
        if self._state in (_IDLE, _BROKEN):
            self._state = _BROKEN
            return []
        if self._state == _HEAD and not self._seen:
            return [self._fail("closed-before-response")]
        return [self._fail("truncated")]

    def _fail(self, reason: str) -> ResponseFailed:
        self._state = _BROKEN
        self._kept.clear()
        return ResponseFailed(reason)

    def _read(self, data: bytes, events: list[OriginEvent]) -> None:
        if self._state == _HEAD:
            self._seen = self._seen or bool(data)
            data = self._read_heads(data, events)
        if not data:
            return
        if self._state == LENGTH:
            self._read_length(data, events)
        elif self._state == CHUNKS:
            self._read_chunks(data, events)
        elif self._state == UNTIL_CLOSE:
            events.append(DataReceived(data))
        elif self._state == _IDLE:
            raise UpstreamError(502, "unexpected-data")

    def _read_heads(self, data: bytes, events: list[OriginEvent]) -> bytes:
        """Interim heads and the final one, or as much of them as is here; returns what lies behind."""
        scanned = len(self._kept)
        if scanned:
            self._kept += data
        while self._state == _HEAD:
            buffer = self._kept or data
            end = _find_end_of_head(buffer, scanned)
            if end is None:
                if not self._kept:
                    self._kept += data
                return b""
            head, data = bytes(buffer[:end]), bytes(buffer[end:])
            self._kept.clear()
            scanned = 0
            self._take_head(parse_response_head(head, self._method), bool(data), events)
        return data

    def _take_head(self, parsed: ParsedResponse, more: bool, events: list[OriginEvent]) -> None:
        if parsed.status < 200:
            events.append(self._switch(parsed) if parsed.status == 101 else self._take_interim(parsed))
            return
        self._persistent = parsed.persistent
        self._state = parsed.framing
        events.append(HeadReceived(parsed.new_head(), parsed.framing == NO_BODY))
        if parsed.framing == NO_BODY:
            self._end(events, more)
        elif parsed.framing == LENGTH:
            self._remaining = parsed.content_length or 0
        elif parsed.framing == CHUNKS:
            self._chunks = ChunkedDecoder(keeps_trailers=True)

    def _switch(self, parsed: ParsedResponse) -> HeadReceived:
        """The connection becomes a tunnel, if that was asked for and the origin proves that it means this very request."""
        if not self._accept:
            raise UpstreamError(502, "unexpected-101")
        if parsed.upgrade != WEBSOCKET or not is_accepted(parsed.fields, self._accept):
            raise UpstreamError(502, "handshake")
        self._state = UNTIL_CLOSE
        return HeadReceived(parsed.new_head(), ended=False)

    def _take_interim(self, parsed: ParsedResponse) -> InterimReceived:
        self._interims += 1
        if self._interims > MAX_INTERIM_RESPONSES:
            raise UpstreamError(502, "too-many-interims")
        return InterimReceived(parsed.status, parsed.fields)

    def _read_length(self, data: bytes, events: list[OriginEvent]) -> None:
        extra = len(data) - self._remaining
        if extra < 0:
            self._remaining -= len(data)
            events.append(DataReceived(data))
            return
        events.append(DataReceived(data[: self._remaining]))
        self._end(events, extra > 0)

    def _read_chunks(self, data: bytes, events: list[OriginEvent]) -> None:
        decoder = self._chunks
        assert decoder is not None
        try:
            used = decoder.feed(data)
        finally:
            if body := decoder.take():
                events.append(DataReceived(body))
        if decoder.ended:
            self._chunks = None
            self._end(events, used < len(data), _trailers_of(decoder))

    def _end(self, events: list[OriginEvent], more: bool, trailers: Fields = ()) -> None:
        """The response is whole. Bytes behind it belong to nobody: the connection carries no other request."""
        reusable = self._persistent and not more
        self._state = _IDLE if reusable else _BROKEN
        events.append(ResponseEnded(reusable, trailers))


def _trailers_of(decoder: ChunkedDecoder) -> Fields:
    lines = decoder.trailer_lines
    try:
        return clean_trailers(lines) if lines else ()
    except RequestRefused as exc:
        raise UpstreamError(502, exc.reason) from exc


def _find_end_of_head(buffer: bytes | bytearray, scanned: int) -> int | None:
    """Where the head at the start of `buffer` ends, or None while it has not; `scanned` bytes were looked at before.

    Raises: UpstreamError 502 for what cannot become a head.
    """
    found = buffer.find(END_OF_HEAD, max(scanned - len(END_OF_HEAD) + 1, 0), MAX_RESPONSE_HEAD)
    if not buffer.startswith(_BEGINNING[: len(buffer)]):
        raise UpstreamError(502, "not-http")
    if found >= 0:
        return found + len(END_OF_HEAD)
    if find_broken_line_end(buffer, max(scanned - 1, 0), MAX_RESPONSE_HEAD):
        raise UpstreamError(502, "syntax")
    if len(buffer) >= MAX_RESPONSE_HEAD:
        raise UpstreamError(502, "head-too-large")
    return None
