"""One worker's side towards visitors: what all its connections share, and the way in.

An `Entrance` is one kind of listening socket: it says how an accepted socket becomes a stream and which engine, peer and
handler its connections get. There are two, plain HTTP and TLS.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from edge.errors import HTTPError
from edge.http.exchange import Handler, Peer
from edge.http.limits import CONNECTIONS_PER_CLIENT, MAX_CONNECTIONS
from edge.http.message import SERVER_FIELD, ResponseHead
from edge.http.networks import Networks
from edge.net.deadlines import Deadlines
from edge.net.socket_stream import SocketStream
from edge.server.connection import Connection
from edge.server.exchange import ServerExchange
from edge.server.reception import Reception
from edge.telemetry.logs import get_logger
from edge.wire.engine import Engine

log = get_logger("server")

Record: TypeAlias = Callable[[ServerExchange, float], None]
"""Writes the access log line of a finished exchange; the second argument is the monotonic time of its end."""

NOBODY: Final = Networks(())

AnswerError: TypeAlias = Callable[[ServerExchange, HTTPError], None]
"""Answers an exchange that has no response head yet with an error page."""


class Entrance(Protocol):
    """What is different about the connections of one kind of listening socket."""

    handler: Handler

    def open(self, sock: socket.socket, connection: Connection) -> SocketStream:
        """The stream of an accepted socket; not started. Raises OSError when the socket is dead already."""

    def client(self, sock: socket.socket) -> str:
        """The numeric address of whoever is behind an accepted socket; "" when it has gone already."""

    def greet(self, stream: SocketStream) -> tuple[Engine, Peer]:
        """Called once the stream has opened: the engine for the agreed protocol, and who is there."""


class Server:
    """The connections of one worker and what they share."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        deadlines: Deadlines,
        answer_error: AnswerError,
        record: Record | None,
        clock: Callable[[], float] = time.monotonic,
        *,
        max_connections: int = MAX_CONNECTIONS,
        max_per_client: int = CONNECTIONS_PER_CLIENT,
        trusted: Networks = NOBODY,
    ) -> None:
        self.loop = loop
        self.clock = clock
        """The loop's clock, without the loop's method call around it."""
        self.record = record
        self.draining = False
        self.connections: set[Connection] = set()
        self._deadlines = deadlines
        self._answer_error = answer_error
        self._planned: list[Connection] = []
        self.reception = Reception(max_connections, max_per_client, trusted, clock, loop)
        deadlines.add(self.reception)

    def __repr__(self) -> str:
        return f"<Server {len(self.connections)} connections{' draining' if self.draining else ''}>"

    # -- connections come and go --------------------------------------------------------------------------------------

    def accept(self, sock: socket.socket, entrance: Entrance) -> None:
        """Take an accepted, non-blocking socket, or close it where there is no room."""
        reception = self.reception
        client = reception.client_of(entrance.client(sock))
        if not reception.make_room(client, self.connections):
            sock.close()
            return
        connection = Connection(self, entrance, client, self.clock())
        try:
            stream = entrance.open(sock, connection)
        except OSError:
            sock.close()
            return
        connection.stream = stream
        self.connections.add(connection)
        self._deadlines.add(connection)
        reception.arrived(client, connection)

    def forget(self, connection: Connection) -> None:
        """The connection's socket is gone."""
        self.connections.discard(connection)
        self._deadlines.discard(connection)
        self.reception.left(connection.client, connection)

    def begin_drain(self) -> None:
        """Let every connection finish what it has, and take nothing new."""
        self.draining = True
        for connection in list(self.connections):
            connection.begin_drain()

    def abort_all(self) -> None:
        """End every connection now."""
        for connection in list(self.connections):
            connection.abort()

    # -- one write per connection and turn of the loop ------------------------------------------------------------------

    def plan_flush(self, connection: Connection) -> None:
        """Call `connection.flush_planned` at the end of this turn of the loop."""
        if not self._planned:
            self.loop.call_soon(self._flush_planned)
        self._planned.append(connection)

    def _flush_planned(self) -> None:
        planned, self._planned = self._planned, []
        for connection in planned:
            connection.flush_planned()

    # -- when something goes wrong --------------------------------------------------------------------------------------

    def answer_error(self, exchange: ServerExchange, error: HTTPError) -> None:
        """Answer with an error page, or cut the response if its head has gone out."""
        if exchange.head_sent:
            exchange.abort(error.reason)
        else:
            self._answer_error(exchange, error)

    def body_too_slow(self, exchange: ServerExchange) -> None:
        """The client does not send the body it announced: 408 (RFC 9110 §15.5.9), and the handler lets go."""
        receiver, exchange.receiver = exchange.receiver, None
        self.answer_error(exchange, HTTPError(408, "body-too-slow"))
        if receiver is not None:
            receiver.exchange_aborted("body-too-slow")

    def refuse(self, connection: Connection, stream_id: int, status: int, reason: str) -> None:
        """Answer a request that never became one: a bare status, no page, nothing of the request in it."""
        log.debug("request refused", client=connection.peer.address, status=status, reason=reason)
        body = b"%d %s\n" % (status, reason.encode())
        fields = (SERVER_FIELD, (b"content-type", b"text/plain; charset=utf-8"))
        connection.engine.send_response(stream_id, ResponseHead(status, fields, len(body)), body)

    def response_cut(self, exchange: ServerExchange, reason: str) -> None:
        """A response went out incomplete."""
        log.warning("response cut", target=exchange.request.target.decode("ascii"), reason=reason)

    def report_bug(self, exchange: ServerExchange, error: Exception) -> None:
        """A handler raised something it must not raise: a bug of ours, answered with 500."""
        log.error("handler failed", target=exchange.request.target.decode("ascii"), exc_info=error)
        self.answer_error(exchange, HTTPError(500, "internal"))
