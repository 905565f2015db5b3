"""One request's share of an HTTP/2 connection: a stream, its back-pressure and its deadline.

    opening ─▶ claimed ──send_request──▶ waiting for the head ──▶ reading the body ──▶ over

The connection goes on when a share is over, however it ended. While its receiver has paused, what still comes waits here: at
most one stream window, because credit is only given for what has been taken.

The deadline means what it means for an HTTP/1.1 connection: the first byte of the response once the request has left, then each
read of a body with an announced length, and a request body that does not move. A stream of messages has none of these: either
side may be silent, and the connection finds out by itself whether the origin is still there.
"""

from __future__ import annotations

import socket
from collections import deque
from typing import TYPE_CHECKING, Any

from edge.http.exchange import Buffer
from edge.http.limits import FIRST_BYTE_TIMEOUT, LOW_WATER, UPSTREAM_IDLE_TIMEOUT
from edge.http.message import Fields, ResponseHead
from edge.net.deadlines import NEVER
from edge.upstream import failures
from edge.upstream.connection import is_event_stream
from edge.upstream.listeners import NewStream, Opener, ResponseReceiver
from edge.upstream.resolver import Endpoint
from edge.wire.origin import (
    DataReceived,
    HeadReceived,
    InterimReceived,
    OriginEvent,
    ResponseEnded,
    ResponseFailed,
)

if TYPE_CHECKING:
    from edge.upstream.shared_connection import SharedConnection


class ConnectionShare:
    """Implements `RequestCarrier`. Made by its connection; over when the receiver has heard the last event, or by `abort`."""

    __slots__ = (
        "_answered",
        "_body_left",
        "_connection",
        "_is_silent",
        "_paused",
        "_receiver",
        "_stuck_at",
        "_untaken",
        "_waiting",
        "deadline",
        "first_byte_timeout",
        "heard_at",
        "sent_at",
        "stream_id",
    )

    takes_te = True

    def __init__(self, connection: SharedConnection) -> None:
        self.stream_id = 0
        """0 before the request is sent."""
        self.deadline = NEVER
        self.first_byte_timeout = FIRST_BYTE_TIMEOUT
        self.sent_at = 0.0
        self.heard_at = 0.0
        self._connection = connection
        self._receiver: ResponseReceiver | None = None
        self._body_left: int | None = 0  # None: not known
        self._stuck_at = -1  # bytes that were unsent at the last look
        self._answered = False
        self._is_silent = False  # silence is no failure
        self._paused = False
        self._untaken = 0  # bytes delivered to a receiver that has paused
        self._waiting: deque[OriginEvent] = deque()

    def __repr__(self) -> str:
        return f"<ConnectionShare {self.stream_id} of {self._connection!r}>"

    # -- opening ------------------------------------------------------------------------------------------------------

    def open(self, sock: socket.socket, endpoint: Endpoint, opener: Opener, new_stream: NewStream) -> None:
        """Open the connection that this is the first share of; see `OriginConnection.open`."""
        self._connection.open(sock, endpoint, opener, new_stream, self)

    def belongs_to(self, pool: Any) -> bool:
        """See `RequestCarrier`."""
        return self._connection.pool is pool

    @property
    def is_reused(self) -> bool:
        """See `RequestCarrier`."""
        return self._connection.served > 0

    @property
    def looks_alive(self) -> bool:
        """See `RequestCarrier`."""
        return self._connection.looks_alive

    # -- sending ------------------------------------------------------------------------------------------------------

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
        """See `RequestCarrier`."""
        if not self._begin(receiver, method, target, fields, content_length):
            return False
        return self._send(body) if content_length else self._drained()

    def send_stream(self, receiver: ResponseReceiver, method: bytes, target: bytes, fields: Fields) -> None:
        """Write the head of a request whose body is a stream of messages, of any length and at any pace: `send_body` as they
        come, `end_sending` behind the last. So may the response be; no deadline runs for either."""
        self._is_silent = True
        self._begin(receiver, method, target, fields, None)

    def _begin(
        self, receiver: ResponseReceiver, method: bytes, target: bytes, fields: Fields, length: int | None
    ) -> bool:
        connection = self._connection
        self._receiver = receiver
        self._body_left = length
        self.sent_at = connection.now()
        if connection.engine.room < 1:  # the origin has changed its mind since this share was handed out
            connection.loop.call_soon(self._fail, failures.REFUSED)
            return False
        self.stream_id = connection.engine.begin(method, target, fields, length, ended=length == 0)
        connection.began(self)
        return True

    def send_handshake(self, receiver: ResponseReceiver, target: bytes, fields: Fields, accept: bytes) -> bool:
        """Always in vain: tunnels are asked for in HTTP/1.1 only."""
        self._receiver = receiver
        self._connection.loop.call_soon(self._fail, failures.NO_TUNNEL)
        return False

    def send_body(self, data: Buffer) -> bool:
        """See `RequestCarrier`."""
        return self._send(data)

    def end_sending(self) -> None:
        """The body of `send_stream` is complete."""
        self._body_left = 0
        self._connection.engine.send_body(self.stream_id, b"", end=True)
        self._connection.flush_soon()

    def _send(self, data: Buffer) -> bool:
        if self._body_left is not None:
            self._body_left -= len(data)
        self._connection.engine.send_body(self.stream_id, data, end=self._body_left == 0)
        self._connection.flush_soon()
        return self._drained()

    def _drained(self) -> bool:
        """Whether more may be sent; sets the deadline for what comes next."""
        drained = self._connection.engine.unsent(self.stream_id) <= LOW_WATER
        if not drained:
            self._connection.note_crowded(self)
        if not self._answered and not self._is_silent:
            waits_for_visitor = drained and self._body_left
            self.deadline = NEVER if waits_for_visitor else self._connection.now() + self.first_byte_timeout
        return drained

    def request_drained(self) -> None:
        """Called by the connection: the origin has taken enough."""
        if self._receiver and self._drained():
            self._receiver.request_drained()

    # -- receiving ----------------------------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        """See `RequestCarrier`."""
        if self._receiver:
            self._paused = True
            self.deadline = NEVER

    def resume_reading(self) -> None:
        """See `RequestCarrier`."""
        if not self._paused:
            return
        self._paused = False
        self._give_credit(self._untaken)
        self._untaken = 0
        self._restart_idle_timeout()
        while self._waiting and not self._paused and self._receiver:
            self._deliver(self._waiting.popleft())

    def take(self, event: OriginEvent, now: float) -> None:
        """Called by the connection: something has happened on this stream."""
        if not self.heard_at:
            self.heard_at = now
        if self._paused and self._receiver:
            self._keep(event)
            return
        if self._answered:
            self._restart_idle_timeout()
        self._deliver(event)

    def _keep(self, event: OriginEvent) -> None:
        """Pieces of a body are joined: many small ones must not weigh more than they are long."""
        last = self._waiting[-1] if self._waiting else None
        if not isinstance(event, DataReceived):
            self._waiting.append(event)
        elif isinstance(last, DataReceived) and isinstance(last.data, bytearray):
            last.data.extend(event.data)
        else:
            self._waiting.append(DataReceived(bytearray(event.data)))

    def _deliver(self, event: OriginEvent) -> None:
        receiver = self._receiver
        if receiver is None:
            return
        match event:
            case DataReceived():
                receiver.data_received(event.data)
                self._taken(len(event.data))
            case HeadReceived():
                self._deliver_head(receiver, event)
            case InterimReceived():
                receiver.interim_received(event.status, event.fields)
            case ResponseEnded():
                self._end()
                receiver.response_ended(event.trailers)
            case ResponseFailed():
                self._fail(event.reason)

    def _deliver_head(self, receiver: ResponseReceiver, event: HeadReceived) -> None:
        if event.ended:  # told as a whole, so that it is passed on in one piece: gRPC knows its errors by that
            self._end()
            receiver.response_received(event.head, b"")
            return
        self._begin_body(event.head)
        receiver.head_received(event.head)

    def _begin_body(self, head: ResponseHead) -> None:
        self._answered = True
        self._is_silent = self._is_silent or head.content_length is None or is_event_stream(head)
        self._restart_idle_timeout()

    def _restart_idle_timeout(self) -> None:
        self.deadline = NEVER if self._is_silent else self._connection.now() + UPSTREAM_IDLE_TIMEOUT

    def _taken(self, size: int) -> None:
        if self._paused:
            self._untaken += size
        else:
            self._give_credit(size)

    def _give_credit(self, size: int) -> None:
        if size:
            self._connection.engine.body_consumed(self.stream_id, size)
            self._connection.flush_soon()

    # -- ending -------------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        self._receiver = None
        self._waiting.clear()
        self._connection.ended(self)

    def _fail(self, word: str) -> None:
        receiver = self._receiver
        self.abort()
        if receiver:
            receiver.response_failed(word)

    def deadline_passed(self, now: float) -> None:
        """Late: the stream fails, the connection goes on."""
        unsent = self._connection.engine.unsent(self.stream_id)
        if unsent and unsent != self._stuck_at:
            self._stuck_at = unsent  # slow, but moving
            self.deadline = now + self.first_byte_timeout
        elif unsent:
            self._fail(failures.REQUEST_STALLED)
        else:
            self._fail(failures.IDLE_TIMEOUT if self._answered else failures.FIRST_BYTE_TIMEOUT)

    def close(self) -> None:
        """Nobody needs it: the connection stays."""
        self.abort()

    def abort(self) -> None:
        """See `RequestCarrier`: the origin sees RST_STREAM CANCEL."""
        self._receiver = None
        self._waiting.clear()
        self.deadline = NEVER
        self._connection.gave_up(self)
