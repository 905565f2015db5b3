"""The reading half of the HTTP/1.1 engine: bytes in, one request at a time out.

    HEAD ──head──► LENGTH | CHUNKS ──body──► COMPLETE ──response over──► HEAD
     │ no body ──────────────────────────────►  ▲
     └─ refused ─► BROKEN ◄─ broken body         given up with nothing open ─► CLOSED
                                    COMPLETE ──tunnel──► TUNNEL ──end of input──► COMPLETE

A request that is COMPLETE holds back everything behind it until the driver's response is over (`release`); if the response
is over first, the rest of the body is still read, as events that nobody wants, and HEAD follows. BROKEN and CLOSED swallow
all input; behind CLOSED none is expected. In TUNNEL nothing is HTTP any more: all bytes are the body of the last request.

What comes out does not depend on how the input was cut: every verdict is a function of the bytes up to the first one that
breaks a rule.
"""

from __future__ import annotations

from typing import Final

from edge.errors import RequestRefused as Refusal
from edge.http.limits import MAX_HEAD, MAX_PIPELINED, MAX_REQUEST_LINE
from edge.http.message import Request
from edge.wire.chunked import BrokenChunks, ChunkedDecoder
from edge.wire.engine import (
    BodyReceived,
    ConnectionEnded,
    Event,
    RequestEnded,
    RequestReceived,
    RequestRefused,
    StreamAborted,
)
from edge.wire.head_syntax import END_OF_HEAD, find_broken_line_end
from edge.wire.request_head import ParsedHead, known_head, parse_request_head
from edge.wire.request_line import parse_request_line

_LINE_ROOM: Final = MAX_REQUEST_LINE + len(b"\r\n")


# States are plain words: looking up a member of an Enum costs 0.1 µs on Python 3.11, many times per request.
_HEAD: Final = "head"
_LENGTH: Final = "length"
_CHUNKS: Final = "chunks"
_COMPLETE: Final = "complete"
_TUNNEL: Final = "tunnel"
_BROKEN: Final = "broken"
_CLOSED: Final = "closed"


class RequestReader:
    """Cuts requests out of one connection's bytes."""

    __slots__ = ("_chunks", "_kept", "_released", "_remaining", "_scanned", "_scheme", "_state", "ended",
                 "persistent", "request", "stream_id")  # fmt: skip

    def __init__(self, scheme: bytes) -> None:
        self.stream_id = 0
        """The number of the latest request, refused ones included."""
        self.request: Request | None = None
        """The latest request; None before the first and after a refusal."""
        self.persistent = True
        """Whether the client and what we read of it let the connection go on behind the latest request."""
        self.ended = False
        """Whether ConnectionEnded has been among the events."""
        self._scheme = scheme
        self._state: str = _HEAD
        self._kept = bytearray()
        self._scanned = 0
        self._remaining = 0
        self._chunks: ChunkedDecoder | None = None
        self._released = False

    @property
    def has_unread(self) -> bool:
        """Whether kept bytes may hold a request that has not been looked for, or belong to a tunnel."""
        if self._state == _HEAD:
            return len(self._kept) > self._scanned
        return self._state == _TUNNEL and len(self._kept) > 0

    @property
    def head_in_progress(self) -> bool:
        """Whether a request head has begun and not ended."""
        return self._state == _HEAD and len(self._kept) > 0

    @property
    def has_room(self) -> bool:
        """False while too much waits behind a request that is being answered."""
        return self._state != _COMPLETE or len(self._kept) < MAX_PIPELINED

    @property
    def is_between_requests(self) -> bool:
        """Whether no request has begun since the last one ended and was answered, or was the last to be read."""
        return self._state in (_HEAD, _CLOSED) and not self._kept

    @property
    def body_left(self) -> int | None:
        """How much of the latest request's body has not come yet; None when nobody knows."""
        return None if self._state == _CHUNKS else self._remaining

    def release(self) -> None:
        """The response is over: the next request may be looked for as soon as this one's body is through."""
        self._released = True
        if self._state == _COMPLETE:
            self._state = _HEAD

    def open_tunnel(self) -> None:
        """The latest request, which has no body, is accepted as a handshake: all that follows it is its body."""
        self._state = _TUNNEL

    def give_up(self) -> None:
        """Read nothing any more: input is swallowed."""
        finished = self._state in (_HEAD, _COMPLETE, _CLOSED) and not self._kept
        self._state = _CLOSED if finished else _BROKEN
        self._kept.clear()

    def receive(self, data: bytes) -> list[Event]:
        """Events that `data`, appended to what was kept, makes known."""
        if self._state == _HEAD and not self._kept:
            known = known_head(data, self._scheme)
            if known is not None:  # the read is one whole head, byte for byte an earlier one without a body
                return self._begin_again(known)
        events: list[Event] = []
        if not self._kept:
            used = self._consume(data, events)
            if used < len(data):
                self._kept += data[used:]
        else:
            self._kept += data
            used = self._consume(self._kept, events)
            del self._kept[:used]
        return events

    def _begin_again(self, known: ParsedHead) -> list[Event]:
        self.stream_id += 1
        self.request, self.persistent = known.request, known.persistent
        self._released = False
        self._state = _COMPLETE
        return [RequestReceived(self.stream_id, known.request, True)]

    def receive_eof(self) -> list[Event]:
        """Events of the end of input: orderly only between requests; none while a complete or refused one is answered."""
        if self._state in (_LENGTH, _CHUNKS):
            return self._broken_body("truncated-body")
        if self._state == _TUNNEL:
            events = self.receive(b"")
            self._state = _COMPLETE
            return [*events, RequestEnded(self.stream_id)]
        if self._state == _HEAD:
            return [self._end("truncated-head" if self._kept else "")]
        return []

    def _consume(self, buffer: bytes | bytearray, events: list[Event]) -> int:
        """Go from state to state while bytes are left and move us on; returns how many are used up."""
        position = 0
        while position < len(buffer):
            if self._state == _HEAD:
                after = self._read_head(buffer, position, events)
            elif self._state == _LENGTH:
                after = self._read_length(buffer, position, events)
            elif self._state == _CHUNKS:
                after = self._read_chunks(buffer, position, events)
            elif self._state == _TUNNEL:
                after = len(buffer)
                events.append(BodyReceived(self.stream_id, bytes(buffer[position:]), after - position))
            else:
                after = position if self._state == _COMPLETE else len(buffer)
            if after == position:
                break
            position = after
        return position

    def _read_head(self, buffer: bytes | bytearray, position: int, events: list[Event]) -> int:
        try:
            end = self._find_end_of_head(buffer, position)
            if end is None:
                return position
            parsed = parse_request_head(bytes(buffer[position:end]), self._scheme)
        except Refusal as refusal:
            events.append(self._refuse(refusal))
            return len(buffer)
        self.stream_id += 1
        self.request, self.persistent = parsed.request, parsed.persistent
        self._released = False
        self._expect_body(parsed.request.content_length)
        events.append(RequestReceived(self.stream_id, parsed.request, parsed.request.content_length == 0))
        return end

    def _find_end_of_head(self, buffer: bytes | bytearray, position: int) -> int | None:
        """Where the head that begins at `position` ends, or None while it has not; refuses what cannot become one."""
        start = position + max(self._scanned - len(END_OF_HEAD) + 1, 0)
        found = buffer.find(END_OF_HEAD, start, position + MAX_HEAD)
        line_end = buffer.find(b"\n", position, position + _LINE_ROOM)
        if line_end < 0:
            _judge_open_line(buffer, position)
        if found >= 0:
            self._scanned = 0
            return found + len(END_OF_HEAD)
        if line_end >= 0:
            self._judge_beginning(buffer, position, line_end)
        self._scanned = len(buffer) - position
        return None

    def _judge_beginning(self, buffer: bytes | bytearray, position: int, line_end: int) -> None:
        """The verdicts that need no end of head, in the order in which a complete head gets them."""
        seen = position + self._scanned
        if line_end >= seen:
            parse_request_line(bytes(buffer[position : line_end + 1]))
        if find_broken_line_end(buffer, max(line_end, seen - 1), position + MAX_HEAD):
            raise Refusal(400, "syntax")
        if len(buffer) - position >= MAX_HEAD:
            raise Refusal(431, "head-too-large")

    def _refuse(self, refusal: Refusal) -> RequestRefused:
        self.stream_id += 1
        self.request, self.persistent = None, False
        self._state = _BROKEN
        self._kept.clear()
        return RequestRefused(self.stream_id, refusal.status, refusal.reason)

    def _expect_body(self, content_length: int | None) -> None:
        if content_length is None:
            self._state, self._chunks = _CHUNKS, ChunkedDecoder()
        elif content_length:
            self._state, self._remaining = _LENGTH, content_length
        else:
            self._state = _COMPLETE

    def _read_length(self, buffer: bytes | bytearray, position: int, events: list[Event]) -> int:
        end = min(position + self._remaining, len(buffer))
        self._remaining -= end - position
        events.append(BodyReceived(self.stream_id, bytes(buffer[position:end]), end - position))
        if not self._remaining:
            self._end_body(events)
        return end

    def _read_chunks(self, buffer: bytes | bytearray, position: int, events: list[Event]) -> int:
        decoder, broken = self._chunks, None
        assert decoder is not None
        try:
            position += decoder.feed(bytes(buffer[position:]))
        except BrokenChunks as exc:
            broken, position = exc.reason, len(buffer)
        if data := decoder.take():
            events.append(BodyReceived(self.stream_id, data, len(data)))
        if broken:
            events += self._broken_body(broken)
        elif decoder.ended:
            self._chunks = None
            self._end_body(events)
        return position

    def _end_body(self, events: list[Event]) -> None:
        self._state = _HEAD if self._released else _COMPLETE
        events.append(RequestEnded(self.stream_id))

    def _broken_body(self, reason: str) -> list[Event]:
        """Nothing behind a broken body can be told from it, so the connection ends with its stream."""
        return [StreamAborted(self.stream_id, reason), self._end(reason)]

    def _end(self, reason: str) -> ConnectionEnded:
        self.ended = True
        self.give_up()
        return ConnectionEnded(reason)


def _judge_open_line(buffer: bytes | bytearray, position: int) -> None:
    """Refuse a first line whose end is not in sight: at once when it begins like no method, as TLS on a plain port does."""
    if not 0x21 <= buffer[position] <= 0x7E:
        raise Refusal(400, "request-line")
    if len(buffer) - position >= _LINE_ROOM:
        raise Refusal(414, "line-too-long")
