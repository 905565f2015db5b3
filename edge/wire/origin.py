"""The contract of the engine on the origin's side: writes one request at a time, reads its response.

Like the visitor's engines it owns no socket and no clock.
"""

from __future__ import annotations

from typing import Protocol, TypeAlias

from msgspec import Struct

from edge.http.exchange import Buffer
from edge.http.message import Fields, ResponseHead


class InterimReceived(Struct, frozen=True, gc=False):
    """A 1xx head other than 101; the final one follows."""

    status: int
    fields: Fields


class HeadReceived(Struct, frozen=True):
    """The final head, hop-by-hop fields and framing removed. `ended`: the response has no body.

    Status 101 means that the connection is a tunnel from here on: `DataReceived` is what the origin says, `ResponseEnded` the
    end of its half."""

    head: ResponseHead
    ended: bool


class DataReceived(Struct, frozen=True, gc=False):
    """Body bytes, chunk framing removed."""

    data: Buffer


class ResponseEnded(Struct, frozen=True, gc=False):
    """The body is whole. `reusable`: the connection may carry another request. `trailers` may be passed on."""

    reusable: bool
    trailers: Fields = ()


class ResponseFailed(Struct, frozen=True, gc=False):
    """The origin broke the protocol or ended too early. The connection must be closed. `reason` is a constant word.

    `reason` "closed-before-response" (no byte of a response was seen) is the one that a retry may follow."""

    reason: str


OriginEvent: TypeAlias = InterimReceived | HeadReceived | DataReceived | ResponseEnded | ResponseFailed


class WholeResponse(Struct, frozen=True):
    """A response that came in one read and was all of it: head, body, end."""

    head: ResponseHead
    body: bytes
    reusable: bool


class OriginEngine(Protocol):
    """A client-side engine for one connection to an origin."""

    def begin(self, method: bytes) -> None:
        """A request with this method is about to be written; its response is read next."""

    def expect_tunnel(self, accept: bytes) -> None:
        """The next request is a WebSocket handshake: a 101 with this `Sec-WebSocket-Accept` is welcome, any other a failure.

        Whatever the answer, the connection MUST NOT carry another request."""

    def take_whole(self, data: bytes) -> WholeResponse | None:
        """The response, if `data` is exactly one with an announced length: the common case, without events.

        None says nothing about `data`, and nothing has happened: give it to `receive_data`."""

    def receive_data(self, data: bytes) -> list[OriginEvent]:
        """Feed bytes. Any input is legal or becomes `ResponseFailed`; bytes before a request or behind a response too."""

    def receive_eof(self) -> list[OriginEvent]:
        """The origin will send no more: ends a close-delimited body, else fails."""
