"""One request and its response on a visitor's connection: `edge.http.exchange.Exchange` over an engine's stream.

It only keeps what a handler may ask and passes everything else to its connection, which owns engine, socket and deadlines.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from edge.http.exchange import Buffer, Peer, Receiver
from edge.http.limits import HIGH_WATER
from edge.http.message import Fields, Request, ResponseHead

if TYPE_CHECKING:
    from edge.server.connection import Connection

CLIENT_GONE = 499
"""Status in the access log of an exchange whose client left before a response head (nginx's number)."""


class ServerExchange:
    """See `edge.http.exchange.Exchange`; the underscored attributes are shared with `Connection`, and only with it."""

    __slots__ = (
        "_body",
        "_connection",
        "_request_id",
        "_stalled",
        "peer",
        "receiver",
        "request",
        "sent",
        "started",
        "status",
        "stream_id",
        "upstream_seconds",
    )

    def __init__(self, connection: Connection, stream_id: int, request: Request, started: float) -> None:
        self.request = request
        self.peer: Peer = connection.peer
        self.receiver: Receiver | None = None
        self.upstream_seconds = -1.0
        self.stream_id = stream_id
        self.status = 0
        """Of the final response head; 0 until it is sent."""
        self.sent = 0
        """Response body bytes handed to the engine."""
        self.started = started
        self._connection: Connection | None = connection
        self._body: RequestBody | None = None
        self._request_id = ""
        self._stalled = False

    def __repr__(self) -> str:
        state = "open" if self._connection else "over"
        return (
            f"<ServerExchange {self.stream_id} {self.request.method!r} {self.request.target!r} {self.status} {state}>"
        )

    @property
    def request_id(self) -> str:
        """32 hexadecimal digits, made on first use."""
        if not self._request_id:
            self._request_id = secrets.token_hex(16)
        return self._request_id

    @property
    def head_sent(self) -> bool:
        """Whether a final response head has gone out."""
        return self.status != 0

    @property
    def can_send(self) -> bool:
        """False while the client takes bytes more slowly than they come; `resume_sending` follows."""
        connection = self._connection
        if connection is None:
            return False
        if connection.unsent(self.stream_id) < HIGH_WATER:
            return True
        self._stalled = True
        return False

    # -- the response -------------------------------------------------------------------------------------------------

    def send_interim(self, status: int, fields: Fields) -> None:
        """Forward a 1xx response."""
        connection = self._connection
        if connection is not None and not self.status:
            connection.engine.send_interim(self.stream_id, status, fields)
            connection.flush_soon()

    def respond(self, head: ResponseHead, body: Buffer = b"") -> None:
        """The whole response in one call."""
        connection = self._connection
        if connection is None or self.status:
            return
        self.status = head.status
        self.sent = len(body)
        connection.engine.send_response(self.stream_id, head, body)
        connection.response_ended(self)

    def send_head(self, head: ResponseHead) -> None:
        """Begin the response."""
        connection = self._connection
        if connection is None or self.status:
            return
        self.status = head.status
        connection.engine.send_head(self.stream_id, head)
        connection.flush_soon()

    def send_body(self, data: Buffer) -> None:
        """Append body bytes."""
        connection = self._connection
        if connection is None:
            return
        self.sent += len(data)
        connection.engine.send_body(self.stream_id, data, end=False)
        connection.flush_soon()

    def end(self) -> None:
        """The response is complete; one of the wrong length is aborted instead."""
        connection = self._connection
        if connection is None:
            return
        whole = connection.engine.send_body(self.stream_id, b"", end=True)
        connection.response_ended(self, whole=whole)

    def abort(self, reason: str) -> None:
        """Give the response up so that the client can see it."""
        connection = self._connection
        if connection is not None:
            connection.engine.reset(self.stream_id)
            connection.response_ended(self, reason=reason, whole=False)

    # -- the request body ---------------------------------------------------------------------------------------------

    def pause_body(self) -> None:
        """Deliver no more of the request body until `resume_body`."""
        connection, body = self._connection, self._body
        if connection is not None and body is not None and not body.paused:
            body.paused = True
            connection.body_paused()

    def resume_body(self) -> None:
        """Deliver the request body again."""
        connection, body = self._connection, self._body
        if connection is not None and body is not None and body.paused:
            body.paused = False
            connection.body_resumed(self, body)


class RequestBody:
    """How far the body of a request has come. Exists only while a body is expected."""

    __slots__ = ("ended", "paused", "progress", "received", "since", "waiting")

    def __init__(self, now: float) -> None:
        self.paused = False
        self.ended = False
        """The engine has seen its end."""
        self.waiting: list[tuple[bytes, int]] = []
        """Data and credit that arrived while paused."""
        self.received = 0
        self.since = now
        """When receiving began; moved on by the time spent paused, which is not the client's fault."""
        self.progress = now
        """When bytes last came, or the body was last resumed."""
