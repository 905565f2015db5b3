"""The contract between the room that speaks to visitors (`server`) and the rooms that answer (`handlers`).

An exchange is one request and its response. No task and no future belongs to it: the server calls a `Handler` with an
`Exchange`; the handler answers through it at once, or attaches a `Receiver` and answers from later callbacks. All calls
happen on the event loop's thread.

    Handler.__call__(exchange)        answer now, or set exchange.receiver and keep the exchange
      Receiver.body_received(data)    … as the body arrives, while not paused
      Receiver.body_ended()           … the whole body is there (at once, before the handler returns, only if it was asked
                                      for: a request whose content_length is 0 gets no body callbacks at all)
      Receiver.resume_sending()       … after can_send was False
      Receiver.exchange_aborted()     … the far end is gone or too slow; nothing follows, the exchange is dead

    exchange.respond(head, body)      the whole response in one call (the hot path)
    exchange.send_head(head) … send_body(data)* … end(trailers)
    exchange.open_tunnel(fields)      instead of send_head, for a request with `upgrade`; then bytes both ways, and `end`
    exchange.abort(reason)            a response that cannot be finished: RST_STREAM, or a closed connection; never a clean end
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from msgspec import Struct

from edge.http.message import Fields, Request, ResponseHead

Buffer: TypeAlias = bytes | bytearray | memoryview


class Peer(Struct, frozen=True):
    """Who is at the other end of a visitor's connection.

    `address` is the numeric IP address without zone or brackets; an IPv4-mapped IPv6 address is shown as IPv4.
    `covers(host)` tells whether the certificate served on this connection is valid for `host` (lower-case, without
    port); it is None on a connection without TLS. `tls` is the protocol version ("TLSv1.3") or "".
    """

    address: str
    port: int
    tls: str = ""
    server_name: str = ""
    covers: Callable[[str], bool] | None = None


class Receiver(Protocol):
    """What a handler that did not answer at once MUST be able to hear."""

    def body_received(self, data: bytes) -> None:
        """Part of the request body. Call `exchange.pause_body()` to be sent no more for now."""

    def body_ended(self) -> None:
        """The body is complete and had the announced length. Trailer fields have been dropped."""

    def resume_sending(self) -> None:
        """`can_send` is True again."""

    def exchange_aborted(self, reason: str) -> None:
        """The client went away or broke a rule or a deadline. MUST release everything; MUST NOT use the exchange again."""


class Exchange(Protocol):
    """One request and its response, as a handler sees it."""

    request: Request
    peer: Peer
    receiver: Receiver | None
    upstream_seconds: float
    """For the access log: how long the origin took to its first byte; negative when there was none."""

    held_seconds: float
    """For the access log: how long the request waited for an origin to come back; 0 when it did not have to."""

    cache_verdict: str
    """For the access log: what a cache made of the request (`hit`, `miss`, …); "" without one."""

    @property
    def request_id(self) -> str:
        """The same in upstream request, response, log and error page: 32 hexadecimal digits, made on first use, or the id
        that a trusted proxy gave the request."""

    @property
    def head_sent(self) -> bool:
        """Whether a final response head has gone out; until then an error can still become an error page."""

    @property
    def can_send(self) -> bool:
        """False while the client takes bytes more slowly than they come. A handler SHOULD stop until `resume_sending`."""

    def adopt_request_id(self, request_id: str) -> None:
        """Use the id that a trusted proxy gave this request. To be called before anybody has asked for `request_id`."""

    def own_error_page(self, status: int) -> bytes | None:
        """The HTML page that the operator wrote for errors with this status; None: edge's own."""

    def send_interim(self, status: int, fields: Fields) -> None:
        """Forward a 1xx response (RFC 9110 §15.2), 103 included. Dropped silently for HTTP/1.0 clients."""

    def send_head(self, head: ResponseHead) -> None:
        """Begin the response. After calling this you must call `end` or `abort`."""

    def open_tunnel(self, fields: Fields) -> None:
        """Accept a request that has `upgrade`: from now on bytes cross as they are, in both directions.

        `fields` are what the origin answered, protocols and extensions among them; the rest of the answer (101 in HTTP/1.1,
        200 in HTTP/2) is the engine's. What the visitor sends comes as `body_received`, first what lies behind the handshake
        already; the end of its half is `body_ended`, and `send_body` and `end` go on working after it. `end` ends both halves.
        """

    def send_body(self, data: Buffer) -> None:
        """Append body bytes; accepted whole, even when `can_send` is False. The engine discards them for HEAD, 204, 304.

        The buffer must not change afterwards."""

    def end(self, trailers: Fields = ()) -> None:
        """The response is complete. A body shorter or longer than its content_length aborts the exchange instead.

        `trailers` have passed `edge.http.trailers`. They are left out where the client cannot tell them from the body or has
        not asked for them: in HTTP/1.1 without chunks or without `accepts_trailers`."""

    def respond(self, head: ResponseHead, body: Buffer = b"") -> None:
        """`send_head`, `send_body`, `end` in one call."""

    def abort(self, reason: str) -> None:
        """Give the response up: the client MUST be able to see that it is not whole. `reason` is a constant word for the log."""

    def pause_body(self) -> None:
        """Deliver no more of the request body until `resume_body`; the client is slowed down by TCP or flow control."""

    def resume_body(self) -> None:
        """Deliver the request body again."""

    def let_body_rest(self) -> None:
        """The request body is a stream that may be silent: no deadline and no least rate for it."""


Handler: TypeAlias = Callable[[Exchange], None]
"""Answers an exchange. MUST NOT raise but `HTTPError`, which the server answers with an error page."""
