"""The contract of a protocol engine on the visitor's side: HTTP/1.1, HTTP/2 (two of them), later HTTP/3.

An engine owns no socket and no clock. It is fed bytes and returns events; it is told what to answer and returns bytes.
HTTP/1.1 numbers its requests 1, 2, 3 … and calls that the stream id, so that one connection class drives all engines.

Any input is legal or closes: there is nothing third. An engine never raises on what the peer sent. A request that breaks a
rule becomes `RequestRefused` (the connection goes on where the protocol allows that), a connection that breaks one becomes
`ConnectionEnded`, after which `data_to_send` still holds what should be written before closing (GOAWAY).

After `receive_data`, and after any number of `send_*` calls, the driver must write what `data_to_send` returns.
"""

from __future__ import annotations

from typing import Protocol, TypeAlias

from msgspec import Struct

from edge.http.exchange import Buffer
from edge.http.message import Fields, Request, ResponseHead


class RequestReceived(Struct, frozen=True, gc=False):
    """A valid request head. `ended`: no body follows (and no RequestEnded either)."""

    stream_id: int
    request: Request
    ended: bool


class BodyReceived(Struct, frozen=True, gc=False):
    """Body bytes. `credit` is what to give back through `body_consumed`, padding included."""

    stream_id: int
    data: bytes
    credit: int


class RequestEnded(Struct, frozen=True, gc=False):
    """The body is complete and its length is the announced one."""

    stream_id: int


class RequestRefused(Struct, frozen=True, gc=False):
    """A request that breaks a rule, found before it reached a handler.

    The driver answers with a bare error response of `status` on this stream (the engine has made sure that it can be sent
    and, for HTTP/1.1, that the connection closes after it). `reason` is a constant word for logs and counters.
    """

    stream_id: int
    status: int
    reason: str


class StreamAborted(Struct, frozen=True, gc=False):
    """The request will never be complete, or its response is not wanted: RST_STREAM from the client, or a body that broke a
    rule after its head was delivered. Nothing more may be sent on this stream."""

    stream_id: int
    reason: str


class StreamWritable(Struct, frozen=True, gc=False):
    """`unsent(stream_id)` fell to LOW_WATER or below after having been above HIGH_WATER.

    Bodies drain while `data_to_send` is taken, so a driver asks `take_writable` after it; what it does not ask for is
    reported by the next `receive_data` as this event."""

    stream_id: int


class ConnectionEnded(Struct, frozen=True, gc=False):
    """Write what `data_to_send` holds, then close. All streams are aborted. `reason` is "" for an orderly end."""

    reason: str


Event: TypeAlias = (
    RequestReceived | BodyReceived | RequestEnded | RequestRefused | StreamAborted | StreamWritable | ConnectionEnded
)


class Engine(Protocol):
    """A server-side protocol engine for one connection."""

    version: str
    """For the access log: "HTTP/1.1" or "HTTP/2"."""

    multiplexed: bool
    """Whether streams run side by side (HTTP/2) or one after the other (HTTP/1.1)."""

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """Feed bytes from the peer; `now` is a monotonic clock reading in seconds (for rate budgets).

        HTTP/1.1: requests behind an unanswered one are kept inside; call again with b"" once a response has ended and
        `has_buffered` is True. HTTP/2: taking output can bring a late `StreamAborted`; call again with b"" when
        `has_buffered` is True after `data_to_send`."""

    def receive_eof(self) -> list[Event]:
        """The peer will send no more. Unfinished requests are aborted."""

    @property
    def has_buffered(self) -> bool:
        """Whether `receive_data(b"", now)` would make progress (pipelined requests, late events)."""

    @property
    def head_in_progress(self) -> bool:
        """Whether the peer has begun a request head and not finished it (HEAD_TIMEOUT runs)."""

    @property
    def wants_data(self) -> bool:
        """False while the driver should not read from the socket: too much is queued inside for this peer."""

    def send_interim(self, stream_id: int, status: int, fields: Fields) -> None:
        """Write a 1xx head. Ignored where the peer's version has none."""

    def send_response(self, stream_id: int, head: ResponseHead, body: Buffer) -> None:
        """Write a whole response: head, body, end. The hot path of small answers."""

    def send_head(self, stream_id: int, head: ResponseHead) -> None:
        """Write a final head; the body follows through `send_body`."""

    def open_tunnel(self, stream_id: int, fields: Fields) -> int:
        """Accept a request that has `upgrade`; returns the status that this was written as: 101, or 200 in HTTP/2 (RFC 8441).

        What the peer sends from now on comes as `BodyReceived` and, at the end of its half, `RequestEnded`; what `send_body` is
        given leaves as it is. HTTP/1.1: bytes that came behind the handshake wait, `has_buffered` tells of them; a complete
        response ends the connection."""

    def send_body(self, stream_id: int, data: Buffer, end: bool) -> bool:
        """Write (or queue, where flow control says so) body bytes; `end` completes the response.

        Returns False when `end` came with fewer or more bytes than `content_length` announced: the engine has then
        aborted the stream as `reset` does."""

    def send_trailers(self, stream_id: int, trailers: Fields) -> bool:
        """Complete the response with trailer fields, where this client gets any; returns as `send_body` with `end` does."""

    def reset(self, stream_id: int) -> None:
        """Give up a response. HTTP/2: RST_STREAM INTERNAL_ERROR. HTTP/1.1: the connection must be closed without a clean end;
        `must_close` is True from now on."""

    def unsent(self, stream_id: int) -> int:
        """Body bytes of this stream that `data_to_send` has not returned, because of flow control or of a full socket."""

    @property
    def held(self) -> int:
        """About how much memory is held for a peer that does not go on: unsent body bytes, each stream up to HIGH_WATER, and
        STREAM_WEIGHT for each that has some or whose request is not complete. HTTP/1.1: unsent body bytes."""

    def send_progress(self) -> dict[int, int]:
        """For each stream with unsent body bytes, finished by the handler or not: how many bytes of its body have left.

        The driver compares two readings to find streams that a client keeps stuck. HTTP/1.1: {}."""

    def body_consumed(self, stream_id: int, credit: int) -> None:
        """The handler has taken body bytes: let the peer send as many more."""

    def data_to_send(self, budget: int) -> bytes:
        """Bytes to write now: all control and head bytes, and body bytes up to about `budget`. b"" when there is nothing.

        Call again when the socket has taken them, then ask `take_writable`."""

    def take_writable(self) -> list[int]:
        """Streams that have become writable (see `StreamWritable`) since the last call. HTTP/1.1: always empty."""

    def shut_down(self) -> None:
        """Begin a graceful end: `connection: close` on the next response, or GOAWAY.

        HTTP/2 takes two steps (RFC 9113 §6.8): the first call says 2^31-1, so that requests on their way are answered; a
        second call, or the next data from the peer, names the last stream seen, and newer ones are refused from then on.
        The driver SHOULD make the second call after about a round trip; only then can `must_close` become True."""

    @property
    def must_close(self) -> bool:
        """Whether the connection ends once everything that `data_to_send` returned is written."""

    @property
    def is_idle(self) -> bool:
        """Whether no stream is open and nothing waits to be sent."""
