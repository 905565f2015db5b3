"""A WebSocket: a handshake that is proxied like a request, then bytes both ways until either side has had enough.

    handshake ──101──▶ open ──visitor ends its half──▶ half-closed ──origin ends──▶ over
        └─ any other answer: an ordinary response

edge does not read frames. What it adds is back-pressure in both directions (a side that does not read stops the reading of the
other), the visitor's end passed on, and patience: a tunnel may be silent for ever. The origin's end ends the tunnel, because a
WebSocket whose server has closed has nobody left to talk to (RFC 6455 §7.1.1).
"""

from __future__ import annotations

import time

from edge.handlers.proxy_exchange import ProxyExchange
from edge.http.exchange import Buffer
from edge.http.forwarding import upstream_fields
from edge.http.message import ResponseHead
from edge.http.websocket import accept_of, crossing, handshake_fields, new_key
from edge.upstream.carrier import RequestCarrier
from edge.upstream.failures import NO_TUNNEL, upstream_error


class TunnelExchange(ProxyExchange):
    """A proxied exchange whose request is a WebSocket handshake."""

    _is_open = False

    def claim(self) -> None:
        """Open a connection of its own: a pooled one may be stale, and saves nothing over the life of a tunnel."""
        self._pause_body()  # nothing is of use before the answer; over HTTP/2 some may come all the same
        self._read_key()
        self._connect()

    @property
    def _may_repeat(self) -> bool:
        """A handshake is a GET, whatever it is called in HTTP/2."""
        return True

    def connection_opened(self, connection: RequestCarrier) -> None:
        """Send the handshake, with a key of our own."""
        self._claimed()
        self._connection = connection
        exchange, request, key = self._exchange, self._exchange.request, new_key()
        fields = upstream_fields(request, exchange.peer, exchange.request_id, time.time())
        connection.send_handshake(self, request.target, handshake_fields(fields, key), accept_of(key))

    # -- the answer ---------------------------------------------------------------------------------------------------

    def head_received(self, head: ResponseHead) -> None:
        """Open the tunnel, or pass on what the origin says instead."""
        if head.status != 101:
            if self._is_acceptable(head):
                super().head_received(head)
            return
        self._note_answer(head)
        self._is_open = True
        self._exchange.open_tunnel(crossing(head.fields))
        self._resume_body()

    def response_received(self, head: ResponseHead, body: Buffer) -> None:
        """The whole answer at once: no tunnel."""
        if self._is_acceptable(head):
            super().response_received(head, body)

    def _is_acceptable(self, head: ResponseHead) -> bool:
        """To an extended CONNECT any 2xx means an open tunnel (RFC 8441 §5), so an ordinary one must not be passed on."""
        if self._exchange.request.method == b"CONNECT" and 200 <= head.status < 300:
            self._give_up(upstream_error(NO_TUNNEL))
            return False
        return True

    # -- bytes from the visitor; those from the origin are a response body like any other ---------------------------------

    def body_received(self, data: bytes) -> None:
        """Pass them on at the origin's pace; thrown away if the handshake was refused."""
        if self._is_open and self._connection and not self._connection.send_body(data):
            self._pause_body()

    def request_drained(self) -> None:
        """The origin has taken what was sent."""
        if self._is_open:
            self._resume_body()

    def body_ended(self) -> None:
        """The visitor has ended its half."""
        if self._is_open and self._connection:
            self._connection.end_sending()
