"""The HTTP/1.1 engine on the visitor's side (RFC 9112), without socket and clock.

It joins a `RequestReader` and a `ResponseWriter`, and decides the one thing that needs both: whether the connection goes on
behind a response. It does not when either side said so, when the request was refused or its body broke, or when more of an
unwanted body is still to come than is worth reading.

A request whose body breaks is aborted, so no handler can answer it any more; the engine says 400 itself, as an HTTP/2 engine
says GOAWAY.

What the driver must know beyond the contract: a response may be over while its request's body still arrives. `is_idle` is
False until that body is through; its events may be ignored. When `must_close` is True and `is_idle` is not, the client may
still be sending: closing at once could destroy the response in its hands (a reset overtakes unread data), so the driver
reads on for a while before it closes.
"""

from __future__ import annotations

from typing import Final

from edge.http.dates import DateCache
from edge.http.exchange import Buffer
from edge.http.limits import HIGH_WATER, MAX_LINGER
from edge.http.message import SERVER_FIELD, Fields, Request, ResponseHead
from edge.http.websocket import answer_fields
from edge.wire.engine import Event
from edge.wire.request_reader import RequestReader
from edge.wire.response_writer import ResponseWriter, connection_field

_DATES: Final = DateCache()
"""One for all connections of a process."""

_REFUSED: Final = Request(method=b"", scheme=b"", authority=b"", target=b"", fields=())
"""Stands in for a request that could not be read: its answer has a body and HTTP/1.1 framing."""


_BAD_REQUEST: Final = ResponseHead(400, (SERVER_FIELD,), 0)


class HTTP1Engine:
    """Implements `edge.wire.engine.Engine`. `scheme` is b"https" on a TLS connection, else b"http"."""

    version = "HTTP/1.1"
    multiplexed = False

    __slots__ = ("_answered", "_continued", "_draining", "_eof", "_must_close", "_persistent", "_reader", "_streaming",
                 "_writer")  # fmt: skip

    def __init__(self, scheme: bytes, dates: DateCache = _DATES) -> None:
        self._reader = RequestReader(scheme)
        self._writer = ResponseWriter(dates)
        self._answered = 0
        self._streaming = False
        self._continued = 0
        self._persistent = True
        self._draining = False
        self._eof = False
        self._must_close = False

    def __repr__(self) -> str:
        return f"<HTTP1Engine stream {self._reader.stream_id} answered {self._answered} must_close {self.must_close}>"

    # -- reading ------------------------------------------------------------------------------------------------------
    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """See `Engine`. At most one request is under way; what lies behind it waits unparsed."""
        events = self._reader.receive(data)
        if self._reader.ended:
            self._answer_broken_body()
        elif self._eof:
            events += self._reader.receive_eof()
        return events

    def receive_eof(self) -> list[Event]:
        """See `Engine`. A client may close its half and still wait for the answers to what it sent."""
        self._eof = True
        return self._reader.receive_eof()

    @property
    def has_buffered(self) -> bool:
        """Whether `receive_data(b"", now)` would look at a waiting request."""
        return self._reader.has_unread

    @property
    def head_in_progress(self) -> bool:
        """Whether a request head has begun and not ended."""
        return self._reader.head_in_progress

    @property
    def wants_data(self) -> bool:
        """False while MAX_PIPELINED bytes wait behind an unanswered request."""
        return self._reader.has_room

    def body_consumed(self, stream_id: int, credit: int) -> None:
        """Nothing to do: TCP slows the client down while the driver does not read."""

    # -- writing ------------------------------------------------------------------------------------------------------
    def send_interim(self, stream_id: int, status: int, fields: Fields) -> None:
        """Write a 1xx head; 100 only once, and only to a client that waits for it."""
        request = self._reader.request
        if not self._is_due(stream_id) or self._streaming or request is None or request.version != b"1.1":
            return
        if status == 100:
            if not request.expects_continue or self._continued == stream_id:
                return
            self._continued = stream_id
        self._writer.write_interim(status, fields)

    def send_response(self, stream_id: int, head: ResponseHead, body: Buffer) -> None:
        """See `Engine`. A body that is not as long as `head` announces ends the connection instead."""
        if not self._is_due(stream_id) or self._streaming:
            return
        request = self._reader.request or _REFUSED
        self._persistent = self._may_persist(request)
        connection = connection_field(request.version, self._persistent)
        if self._writer.write_response(head, body, request.method, connection):
            self._end_response()
        else:
            self.reset(stream_id)

    def send_head(self, stream_id: int, head: ResponseHead) -> None:
        """See `Engine`."""
        if not self._is_due(stream_id) or self._streaming:
            return
        request = self._reader.request or _REFUSED
        has_framing = request.version == b"1.1" or head.content_length is not None or request.method == b"HEAD"
        self._persistent = self._may_persist(request) and (has_framing or head.status in (204, 304))
        self._streaming = True
        self._writer.write_head(
            head, request.method, request.version, connection_field(request.version, self._persistent)
        )

    def open_tunnel(self, stream_id: int, fields: Fields) -> int:
        """See `Engine`. The connection is no longer HTTP, so nothing can come behind the tunnel."""
        request = self._reader.request
        if self._is_due(stream_id) and not self._streaming and request is not None and request.upgrade:
            self._persistent = False
            self._streaming = True
            self._writer.write_switch((*answer_fields(request.fields), *fields))
            self._reader.open_tunnel()
        return 101

    def send_body(self, stream_id: int, data: Buffer, end: bool) -> bool:
        """See `Engine`. False also when `data` exceeds the announced length before the end."""
        if not self._is_due(stream_id) or not self._streaming:
            return False
        if not self._writer.write_body(data, end):
            self.reset(stream_id)
            return False
        if end:
            self._end_response()
        return True

    def send_trailers(self, stream_id: int, trailers: Fields) -> bool:
        """See `Engine`. A client that has not said `TE: trailers` may not expect any (RFC 9110 §6.5.1)."""
        request = self._reader.request
        if not self._is_due(stream_id) or not self._streaming or request is None or not request.accepts_trailers:
            return self.send_body(stream_id, b"", end=True)
        if not self._writer.write_trailers(trailers):
            self.reset(stream_id)
            return False
        self._end_response()
        return True

    def reset(self, stream_id: int) -> None:
        """Give up the response: what has not been taken yet never leaves, and the connection must be closed."""
        if self._is_due(stream_id):
            self._writer.drop()
            self._close()

    def unsent(self, stream_id: int) -> int:
        """What waits for the socket: HTTP/1.1 has no flow control of its own."""
        return self._writer.streamed

    @property
    def held(self) -> int:
        """See `Engine`."""
        return min(self._writer.streamed, HIGH_WATER)

    def send_progress(self) -> dict[int, int]:
        """Always empty: nothing is queued inside."""
        return {}

    def take_writable(self) -> list[int]:
        """Always empty: no stream ever stops being writable here."""
        return []

    def data_to_send(self, budget: int) -> bytes:
        """Everything written since the last call."""
        return self._writer.take()

    def _answer_broken_body(self) -> None:
        """The last words on the connection: a bare 400, unless the request was being answered already."""
        if self._answered < self._reader.stream_id and not self._streaming and not self._eof:
            self._answered = self._reader.stream_id
            self._writer.write_response(_BAD_REQUEST, b"", b"", connection_field(b"1.1", persistent=False))

    # -- the connection -----------------------------------------------------------------------------------------------
    def shut_down(self) -> None:
        """The next response says `connection: close`. An idle connection is the driver's to close."""
        self._draining = True

    @property
    def must_close(self) -> bool:
        """Whether the connection ends once everything that `data_to_send` returned is written."""
        return self._must_close or self._reader.ended

    @property
    def is_idle(self) -> bool:
        """Whether no request is being read or answered and nothing waits to be sent."""
        return self._reader.is_between_requests and not self._writer.has_output

    def _is_due(self, stream_id: int) -> bool:
        """Whether a response on this stream is still wanted; calls that come too late are ignored."""
        return self._answered < stream_id == self._reader.stream_id and not self.must_close

    def _may_persist(self, request: Request) -> bool:
        """Whether what was read so far lets the connection go on behind the response that begins now."""
        if self._draining or not self._reader.persistent:
            return False
        left = self._reader.body_left
        if left == 0:
            return True
        if request.expects_continue and self._continued != self._reader.stream_id:
            return False  # nobody knows whether the client will send its body now (RFC 9110 §10.1.1)
        return left is not None and left <= MAX_LINGER

    def _end_response(self) -> None:
        self._answered = self._reader.stream_id
        self._streaming = False
        if not self._persistent:
            self._close()
            return
        self._reader.release()
        if self._eof and not self._reader.has_unread:
            self._must_close = True

    def _close(self) -> None:
        self._must_close = True
        self._reader.give_up()
