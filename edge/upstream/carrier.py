"""The contract of what carries one request to an origin and its response back.

An HTTP/1.1 connection carries one at a time (`OriginConnection`), an HTTP/2 connection has a `ConnectionShare` for each. Who
sends a request does not see the difference.
"""

from __future__ import annotations

import socket
from typing import Any, Protocol

from edge.http.exchange import Buffer
from edge.http.message import Fields
from edge.upstream.listeners import NewStream, Opener, ResponseReceiver
from edge.upstream.resolver import Endpoint


class RequestCarrier(Protocol):
    """Comes from a pool or from a `ConnectAttempt`. `send_request` once, then what the receiver's contract says; or `close`."""

    first_byte_timeout: float
    """Seconds; whoever sends a request may set it before."""

    sent_at: float
    """Monotonic time at which the request's head was written."""

    heard_at: float
    """Monotonic time at which the origin's answer to it began."""

    @property
    def takes_te(self) -> bool:
        """Whether `te: trailers` may be among the fields: where hop-by-hop fields do not exist, it speaks end to end."""

    @property
    def is_reused(self) -> bool:
        """Whether an earlier request went over this connection: then it may have been closed behind our back."""

    @property
    def looks_alive(self) -> bool:
        """Whether the origin has not closed, as far as the kernel knows. Costs a system call."""

    def open(self, sock: socket.socket, endpoint: Endpoint, opener: Opener, new_stream: NewStream) -> None:
        """Begin to connect a new non-blocking socket, owned from now on; `opener` hears the outcome, perhaps at once."""

    def belongs_to(self, pool: Any) -> bool:
        """Whether it goes to the origin whose pool this is."""

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
        """Write a request head, whose `fields` begin with `host`, and the first part of its body.

        True when more of the body may follow now through `send_body`; else after `request_drained`."""

    def send_handshake(self, receiver: ResponseReceiver, target: bytes, fields: Fields, accept: bytes) -> bool:
        """Ask for a WebSocket tunnel. `accept` is what the origin must prove (RFC 6455 §4.1)."""

    def send_body(self, data: Buffer) -> bool:
        """Write more of the body; returns as `send_request` does."""

    def end_sending(self) -> None:
        """The visitor's half of a tunnel has ended."""

    def pause_reading(self) -> None:
        """Deliver no more of the response for now."""

    def resume_reading(self) -> None:
        """Deliver it again."""

    def close(self) -> None:
        """Nobody needs it."""

    def abort(self) -> None:
        """End the request now; nobody is told. An origin that is still working for it can see that."""
