"""Who hears from a connection to an origin: first whoever opened it, then whoever sent a request over it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

from edge.http.exchange import Buffer
from edge.http.message import Fields, ResponseHead
from edge.net.socket_stream import SocketStream
from edge.net.stream import StreamListener

if TYPE_CHECKING:
    from edge.upstream.carrier import RequestCarrier


NewStream: TypeAlias = Callable[[socket.socket, StreamListener, asyncio.AbstractEventLoop], SocketStream]
"""Makes the byte stream of a new connection: plain, or with TLS inside."""


class Opener(Protocol):
    """Who asked for a new connection."""

    def connection_opened(self, connection: RequestCarrier) -> None:
        """It can carry a request now."""

    def connection_refused(self, connection: RequestCarrier, word: str) -> None:
        """It never opened."""


class ResponseReceiver(Protocol):
    """Who sent a request, hearing of its response: interim* (response | head data* ended | failed), nothing afterwards.

    After `response_received`, `response_ended` and `response_failed` the connection MUST NOT be used any more.
    """

    def interim_received(self, status: int, fields: Fields) -> None:
        """A 1xx response other than 101."""

    def response_received(self, head: ResponseHead, body: Buffer) -> None:
        """The whole response, when it came in one read: the common case."""

    def head_received(self, head: ResponseHead) -> None:
        """The final head; the body follows."""

    def data_received(self, data: Buffer) -> None:
        """Part of the body."""

    def response_ended(self, trailers: Fields = ()) -> None:
        """The body is whole; `trailers` may be passed on."""

    def request_drained(self) -> None:
        """All that was written has left, after a send had returned False."""

    def response_failed(self, word: str) -> None:
        """No response, or no complete one, will come. `word` is for `failures.upstream_error`."""
