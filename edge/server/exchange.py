"""One request and its response on a visitor's connection: `edge.http.exchange.Exchange` over an engine's stream.

It only keeps what a handler may ask and passes everything else to its connection, which owns engine, socket and deadlines.
"""

from __future__ import annotations

from random import getrandbits
from typing import TYPE_CHECKING

from edge.http.exchange import Buffer, Peer, Receiver
from edge.http.limits import HIGH_WATER, MAX_HELD_PER_CONNECTION
from edge.http.message import Fields, Request, ResponseHead

if TYPE_CHECKING:
    from edge.server.connection import Connection
    from edge.server.request_body import RequestBody

CLIENT_GONE = 499
"""Status in the access log of an exchange whose client left before a response head (nginx's number)."""


class ServerExchange:
    """See `edge.http.exchange.Exchange`; what is not in that contract is for the connection and the access log."""

    __slots__ = (
        "_connection",
        "_request_id",
        "body",
        "cache_verdict",
        "held_seconds",
        "peer",
        "receiver",
        "request",
        "sent",
        "stalled",
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
        self.held_seconds = 0.0
        self.cache_verdict = ""
        self.stream_id = stream_id
        self.status = 0
        """Of the final response head; 0 until it is sent."""
        self.sent = 0
        """Response body bytes handed to the engine."""
        self.started = started
        self.body: RequestBody | None = None
        """The rest of the request body, while one is expected."""
        self.stalled = False
        """The handler was told not to send: it must be told when it may."""
        self._connection: Connection | None = connection
        self._request_id = ""

    def __repr__(self) -> str:
        state = "open" if self._connection else "over"
        return (
            f"<ServerExchange {self.stream_id} {self.request.method!r} {self.request.target!r} {self.status} {state}>"
        )

    @property
    def request_id(self) -> str:
        """32 hexadecimal digits, made on first use, unless a trusted proxy named one."""
        if not self._request_id:
            # Unique is enough; nobody may rely on its being secret.
            self._request_id = getrandbits(128).to_bytes(16, "big").hex()
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
        unsent = connection.unsent(self.stream_id)
        if not unsent or (unsent < HIGH_WATER and connection.held < MAX_HELD_PER_CONNECTION):
            return True
        self.stalled = connection.has_stalled = True
        return False

    def adopt_request_id(self, request_id: str) -> None:
        """Use the id that a trusted proxy gave this request."""
        self._request_id = request_id

    def own_error_page(self, status: int) -> bytes | None:
        """None: an operator's pages belong to a site."""
        return None

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

    def open_tunnel(self, fields: Fields) -> None:
        """Accept a handshake: bytes both ways from now on."""
        connection = self._connection
        if connection is not None and not self.status:
            self.status = connection.open_tunnel(self, fields)

    def send_body(self, data: Buffer) -> None:
        """Append body bytes."""
        connection = self._connection
        if connection is None:
            return
        self.sent += len(data)
        connection.held += len(data)
        connection.engine.send_body(self.stream_id, data, end=False)
        connection.flush_soon()

    def end(self, trailers: Fields = ()) -> None:
        """The response is complete; one of the wrong length is aborted instead."""
        connection = self._connection
        if connection is None:
            return
        engine, number = connection.engine, self.stream_id
        whole = engine.send_trailers(number, trailers) if trailers else engine.send_body(number, b"", end=True)
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
        if self.body is not None and not self.body.paused:
            self.body.pause()

    def resume_body(self) -> None:
        """Deliver the request body again."""
        connection, body = self._connection, self.body
        if connection is not None and body is not None and body.paused:
            connection.resume_body(body)

    def let_body_rest(self) -> None:
        """No deadline for the request body from now on; whether the visitor still exists is for TCP to find out."""
        if self._connection is not None and self.body is not None:
            self.body.may_rest = True
            self._connection.stream.keep_alive()

    # -- the connection's side ------------------------------------------------------------------------------------------

    @property
    def holds_body(self) -> bool:
        """Whether the handler wants no more of the request body for now."""
        return self.body is not None and self.body.paused

    @property
    def is_open(self) -> bool:
        """Whether the handler may still say something."""
        return self._connection is not None

    def detach(self) -> Receiver | None:
        """The exchange is over: nothing that a handler says has an effect any more. Returns who was listening."""
        receiver, self.receiver, self._connection = self.receiver, None, None
        return receiver
