"""One connection to an origin: a byte stream, the engine that reads responses from it, and one deadline.

    opening ──stream_opened──▶ idle ⇄ busy (send_request … the response's end) ──▶ gone

It carries one request at a time and talks back through callbacks; no task and no future belongs to it. When a response has
ended the connection decides for itself whether it can carry another request, and goes to the pool or closes, *before* its
user hears of the end. Whatever is not a complete, well-formed response to a request that was written completely closes
it: bytes left over from one exchange must never be read as part of the next.

The deadline means: opening, NEVER (the attempt that opens it watches); idle, the end of its stay in the pool; busy, the first
byte of the response, then each read of a body that has a length; bytes that do not leave, in a tunnel too. A visitor who uploads
or downloads slowly is not the origin's
fault: no deadline runs while we wait for the visitor.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from edge.http.exchange import Buffer
from edge.http.limits import FIRST_BYTE_TIMEOUT, POOL_IDLE_TIMEOUT, SEND_TIMEOUT, UPSTREAM_IDLE_TIMEOUT
from edge.http.message import Fields, ResponseHead
from edge.net.deadlines import NEVER, Deadlines
from edge.net.socket_stream import SocketStream
from edge.upstream import failures
from edge.upstream.listeners import NewStream, Opener, ResponseReceiver
from edge.upstream.pool import IdlePool
from edge.upstream.resolver import Endpoint
from edge.wire.http1_origin import HTTP1OriginEngine, format_request_head
from edge.wire.origin import (
    DataReceived,
    HeadReceived,
    InterimReceived,
    OriginEvent,
    ResponseEnded,
    ResponseFailed,
    WholeResponse,
)

EVENT_STREAMS: Final = (b"text/event-stream", b"application/grpc")
"""Media types of streams of events or messages (gRPC's have suffixes)."""


class OriginConnection:
    """A connection that is opened by `open` and lives until it is lost; `served` counts completed responses."""

    __slots__ = (
        "_answered",
        "_body_left",
        "_deadlines",
        "_engine",
        "_heard",
        "_loop",
        "_may_be_silent",
        "_method",
        "_opener",
        "_paused",
        "_pool",
        "_receiver",
        "_single_use",
        "_stream",
        "deadline",
        "first_byte_timeout",
        "heard_at",
        "sent_at",
        "served",
    )

    takes_te = False

    def __init__(self, pool: IdlePool[OriginConnection], deadlines: Deadlines, loop: asyncio.AbstractEventLoop) -> None:
        self._pool = pool
        self._deadlines = deadlines
        self._loop = loop
        self._engine = HTTP1OriginEngine()
        self._stream: SocketStream | None = None
        self._opener: Opener | None = None
        self._receiver: ResponseReceiver | None = None
        self._method = b""
        self._body_left = 0
        self._heard = False
        self._may_be_silent = False
        self._answered = False
        self._paused = False
        self._single_use = False
        self.deadline = NEVER
        self.first_byte_timeout = FIRST_BYTE_TIMEOUT
        """Seconds; whoever sends a request may set it before."""
        self.sent_at = 0.0
        """Monotonic time at which the last request's head was written."""
        self.heard_at = 0.0
        """Monotonic time at which the origin's answer to it began."""
        self.served = 0

    def __repr__(self) -> str:
        state = "busy" if self._receiver else "opening" if self._opener else "idle"
        return f"<OriginConnection {state} served={self.served} {self._stream!r}>"

    # -- opening ------------------------------------------------------------------------------------------------------

    def open(self, sock: socket.socket, endpoint: Endpoint, opener: Opener, new_stream: NewStream) -> None:
        """Begin to connect a new non-blocking socket, owned from now on; `opener` hears the outcome, perhaps at once."""
        self._opener = opener
        self._stream = new_stream(sock, self, self._loop)
        self._pool.opened(self)
        self._stream.begin_connect(endpoint.sockaddr)

    def stream_opened(self) -> None:
        opener, self._opener = self._opener, None
        if opener:
            self._deadlines.add(self)
            opener.connection_opened(self)

    def belongs_to(self, pool: IdlePool[OriginConnection]) -> bool:
        """Whether it goes to the origin whose pool this is."""
        return self._pool is pool

    # -- sending ------------------------------------------------------------------------------------------------------

    @property
    def is_reused(self) -> bool:
        """Whether an earlier request went over this connection: then it may have been closed behind our back."""
        return self.served > 0

    @property
    def looks_alive(self) -> bool:
        """Whether the origin has neither closed nor spoken, as far as the kernel knows. Costs a system call."""
        if self._stream is None or self._stream.lost:
            return False
        try:
            socket.socket.recv(self._stream.sock, 1, socket.MSG_PEEK)  # below TLS, if there is any
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def send_request(
        self,
        receiver: ResponseReceiver,
        method: bytes,
        target: bytes,
        fields: Fields,
        content_length: int,
        *,
        body: bytes = b"",
    ) -> bool:
        """Write a request head and the first part of its body; the rest follows through `send_body`.

        True when nothing is left behind; else wait for `request_drained` before sending more.
        """
        assert self._stream
        self._receiver = receiver
        self._method = method
        self._heard = self._answered = False
        self._body_left = content_length - len(body)
        self._engine.begin(method)
        head = self._format_head(method, target, fields, content_length)
        drained = self._stream.write(head + body if body else head)
        self.sent_at = now = self._loop.time()
        self.deadline = NEVER if self._body_left and drained else now + self.first_byte_timeout
        return drained

    def _format_head(self, method: bytes, target: bytes, fields: Fields, content_length: int) -> bytes:
        return format_request_head(method, target, fields, content_length)

    def send_handshake(self, receiver: ResponseReceiver, target: bytes, fields: Fields, accept: bytes) -> bool:
        """Ask for a WebSocket tunnel. `head_received` with status 101 opens it: `send_body`, `data_received` and `response_ended`
        are then bytes both ways and the end of the origin's half. `accept` is what the origin must prove (RFC 6455 §4.1).

        Returns as `send_request` does. The connection is not used again, whatever the answer."""
        assert self._stream
        self._engine.expect_tunnel(accept)
        self._single_use = True
        self._stream.keep_alive()
        return self.send_request(receiver, b"GET", target, fields, 0)

    def end_sending(self) -> None:
        """The visitor's half of a tunnel has ended; the origin may have its say, but not be silent for ever."""
        assert self._stream
        self._stream.end_output()
        self._may_be_silent = False
        self._restart_idle_timeout()

    def send_body(self, data: Buffer) -> bool:
        """Write more of the body; returns as `send_request` does."""
        assert self._stream
        self._body_left -= len(data)
        drained = self._stream.write(data)
        if self._answered:  # the response has begun; its own deadline runs
            if self.deadline == NEVER and not drained:
                self._restart_idle_timeout()
            return drained
        self.deadline = NEVER if self._body_left and drained else self._loop.time() + self.first_byte_timeout
        return drained

    def stream_drained(self) -> None:
        if self._receiver is None:
            return
        if not self._answered:
            self.deadline = NEVER if self._body_left else self._loop.time() + self.first_byte_timeout
        elif self._may_be_silent:
            self.deadline = NEVER
        self._receiver.request_drained()

    # -- receiving ----------------------------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        """Deliver no more of the response for now: the visitor takes it more slowly than it comes."""
        if self._stream and self._receiver:
            self.deadline = NEVER
            self._paused = True
            self._stream.pause_reading()

    def resume_reading(self) -> None:
        """Deliver the response again."""
        if self._stream and self._receiver:
            self._restart_idle_timeout()
            self._paused = False
            self._stream.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self._receiver is None:
            self.close()  # bytes that nobody asked for
            return
        if not self._heard:
            whole = self._engine.take_whole(data)
            if whole is not None:
                self._receive_whole(whole)
                return
            self._heard = True
        events = self._engine.receive_data(data)
        if self._answered:
            self._restart_idle_timeout()
        elif events:
            self.heard_at = self._loop.time()
            first, last = events[0], events[-1]
            # chunked, or without a body
            if type(first) is HeadReceived and type(last) is ResponseEnded and not last.trailers:
                body = b"".join([event.data for event in events if type(event) is DataReceived])
                self._receive_whole(WholeResponse(first.head, body, last.reusable))
                return
        self._dispatch(events)

    def _receive_whole(self, whole: WholeResponse) -> None:
        """The hot path: head, body and end in one read."""
        receiver = self._receiver
        assert receiver
        self.heard_at = self._loop.time()
        self._judge_reuse(whole.head)
        self._finish(whole.reusable, self.heard_at)
        receiver.response_received(whole.head, whole.body)

    def _dispatch(self, events: list[OriginEvent]) -> None:
        for event in events:
            receiver = self._receiver
            if receiver is None:
                return
            match event:
                case DataReceived():
                    receiver.data_received(event.data)
                case HeadReceived():
                    self._begin_body(event.head)
                    receiver.head_received(event.head)
                case InterimReceived():
                    receiver.interim_received(event.status, event.fields)
                case ResponseEnded():
                    self._finish(event.reusable and event is events[-1], self._loop.time())
                    receiver.response_ended(event.trailers)
                case ResponseFailed():
                    self._fail(event.reason)

    def _begin_body(self, head: ResponseHead) -> None:
        self._answered = True
        self._may_be_silent = head.content_length is None or is_event_stream(head)
        self._restart_idle_timeout()
        self._judge_reuse(head)

    def _judge_reuse(self, head: ResponseHead) -> None:
        if self._method == b"HEAD" or (head.content_length and head.status in (204, 304)):
            # Some application servers send the body that must not follow (waitress, cheroot, uWSGI), perhaps in a later
            # packet: it would be read as the response to somebody else's request.
            self._single_use = True

    def _restart_idle_timeout(self) -> None:
        """An origin that may be silent must still read what it is sent."""
        if not self._may_be_silent:
            self.deadline = self._loop.time() + UPSTREAM_IDLE_TIMEOUT
        elif self._stream and self._stream.unsent:
            self.deadline = self._stream.last_progress + SEND_TIMEOUT
        else:
            self.deadline = NEVER

    def eof_received(self) -> None:
        if self._receiver is None:
            self.close()
            return
        if self._stream and self._stream.write_error == "reset" and not self._heard:
            self._fail(failures.RESET)
            return
        self._dispatch(self._engine.receive_eof())
        if self._receiver is not None:
            self._fail(failures.TRUNCATED)

    # -- ending -------------------------------------------------------------------------------------------------------

    def _finish(self, reusable: bool, now: float) -> None:
        """The response is complete: back to the pool, or closed unless both sides are clean."""
        self._receiver = None
        self.served += 1
        assert self._stream
        if not reusable or self._single_use or self._body_left or self._stream.unsent or self._stream.lost:
            self.close()
            return
        if self._paused:
            self._paused = False
            self._stream.resume_reading()
        self.deadline = now + POOL_IDLE_TIMEOUT
        surplus = self._pool.release(self, now)
        if surplus is not None:
            surplus.close()

    def _fail(self, word: str) -> None:
        receiver, self._receiver = self._receiver, None
        self.abort()
        if receiver:
            receiver.response_failed(word)

    def deadline_passed(self, now: float) -> None:
        """Late: an idle connection closes, a busy one fails."""
        stream = self._stream
        self.deadline = NEVER
        if self._receiver is None:
            self.close()
        elif stream and stream.unsent and now - stream.last_progress < self.first_byte_timeout:
            self.deadline = stream.last_progress + self.first_byte_timeout  # slow, but moving
        elif stream and stream.unsent:
            self._fail(failures.REQUEST_STALLED)
        else:
            self._fail(failures.IDLE_TIMEOUT if self._answered else failures.FIRST_BYTE_TIMEOUT)

    def close(self) -> None:
        """End a connection that nobody waits for: in order, or now if its origin does not take what it was sent."""
        self._pool.discard(self)
        if self._stream and self._stream.unsent:
            self._stream.abort()
        elif self._stream:
            self._stream.close()

    def abort(self) -> None:
        """End it now; nobody is told. An origin that is still working for it sees a reset."""
        self._receiver = self._opener = None
        self._pool.discard(self)
        if self._stream:
            self._stream.abort()

    def stream_lost(self, reason: str) -> None:
        self._deadlines.discard(self)
        self._pool.lost(self)
        opener, self._opener = self._opener, None
        receiver, self._receiver = self._receiver, None
        if opener:
            opener.connection_refused(self, reason)
        elif receiver:
            receiver.response_failed(failures.TRUNCATED if self._heard else _unanswered(reason))


def _unanswered(reason: str) -> str:
    return failures.RESET if reason == "reset" else failures.NEVER_ANSWERED


def is_event_stream(head: ResponseHead) -> bool:
    """Whether a response is a stream of events or messages, which may be silent and must not be read ahead of its reader."""
    return (head.field(b"content-type") or b"").startswith(EVENT_STREAMS)
