"""A gRPC call: a request body and a response body that are streams of messages, side by side, each at its own pace.

Nothing is gathered or read ahead: a message goes on when it comes, in either direction, and a side that does not read stops the
other. Neither side has a deadline, because a subscription may be silent for hours; the caller's own deadline (`grpc-timeout`)
crosses as any field does. The beginning of the request is kept until the origin answers, in case it has to be sent again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from edge.errors import RequestRefused
from edge.handlers.proxy_exchange import GATHER, TE_TRAILERS, ProxyExchange
from edge.http.forwarding import upstream_fields
from edge.http.message import Request, ResponseHead
from edge.upstream.carrier import RequestCarrier
from edge.upstream.connection_share import ConnectionShare

if TYPE_CHECKING:
    from edge.upstream.origin import Origin

_GRPC: Final = b"application/grpc"


def is_message_stream(request: Request) -> bool:
    """Whether the body of a request may go on for as long as its response: gRPC, with whatever suffix."""
    return (request.field(b"content-type") or b"").startswith(_GRPC)


class MessageStreamExchange(ProxyExchange):
    """A proxied exchange whose bodies pass as they come. All origins must be HTTP/2 ones."""

    _share: ConnectionShare | None = None
    _size = 0
    _is_complete = False

    def begin(self) -> None:
        """Look for a connection; what comes of the body meanwhile waits."""
        self._first: bytearray | None = (
            bytearray()
        )  # None: forgotten, because it has become too long or has been answered
        self._exchange.let_body_rest()
        if self._exchange.request.expects_continue:
            self._exchange.send_interim(100, ())
        self.claim()

    @property
    def _may_repeat(self) -> bool:
        return False

    # -- the visitor's messages ---------------------------------------------------------------------------------------

    def body_received(self, data: bytes) -> None:
        """Pass them on at the origin's pace."""
        if self._done:
            return
        self._size += len(data)
        if self._size > self._proxy.max_body:
            self._give_up(RequestRefused(413, "body-too-large"))
            return
        if self._first is not None:
            self._first += data
        if self._share is None:
            if self._size >= GATHER:
                self._pause_body()
            return
        if self._size > GATHER:
            self._forget_first()
        if not self._share.send_body(data):
            self._pause_body()

    def body_ended(self) -> None:
        """The visitor has said everything."""
        self._is_complete = True
        if self._share and not self._done:
            self._share.end_sending()

    def request_drained(self) -> None:
        """The origin has taken what was sent."""
        self._resume_body()

    def _forget_first(self) -> None:
        self._first = None
        self._passes_through = True

    def _connect(self, but: Origin | None = None) -> None:
        self._claim = self._proxy.upstream.connect(self, self._key, size=self._size, but=but)

    # -- the origin ---------------------------------------------------------------------------------------------------

    def connection_opened(self, connection: RequestCarrier) -> None:
        """Send the head and what has come of the body."""
        assert isinstance(connection, ConnectionShare)
        self._claimed()
        self._connection = self._share = connection
        exchange = self._exchange
        request = exchange.request
        fields = upstream_fields(request, exchange.peer, exchange.request_id, time.time())
        if request.accepts_trailers:
            fields = (*fields, TE_TRAILERS)
        connection.send_stream(self, request.method, request.target, fields)
        if not self._first or connection.send_body(bytes(self._first)):
            self._resume_body()
        if self._is_complete:
            connection.end_sending()

    def head_received(self, head: ResponseHead) -> None:
        """The answer begins, while the request may go on."""
        super().head_received(head)
        self._reads_ahead = False
        self._forget_first()

    def response_failed(self, word: str) -> None:
        """Another attempt, or the end."""
        self._share = None
        super().response_failed(word)

    def _end(self, *, abort: bool = False) -> None:
        self._share = self._first = None
        super()._end(abort=abort)
