"""One exchange joined to one connection to an origin.

    request body                                                  response
    gather ──enough──▶ claim ──opened──▶ send head, rest of body   head ──▶ body ──▶ end
       │                  │ └─refused──▶ error page                 │ └─truncated──▶ abort
       └─too large: 413   └─closed silently: claim again, where that is safe and another answer is likely

An origin's worker is precious: it gets a connection only when there is enough to do for it. So a body of known length is
gathered up to GATHER bytes, then streamed; one of unknown length is gathered whole, since most application servers take a
request without Content-Length for one without a body.

Both ends can be slow. For a visitor who reads slowly the response is read ahead, within limits, so that the worker is free
again; beyond them, and for event streams, the reading from the origin stops. An origin that does not read stops the reading
of the visitor's body. Nothing in between grows without bound.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from edge.errors import HTTPError, RequestRefused, UpstreamError
from edge.handlers.error_page import respond_error
from edge.handlers.response_spool import ResponseSpool
from edge.handlers.spool import Spool
from edge.http.exchange import Buffer, Exchange
from edge.http.forwarding import downstream_fields, upstream_fields
from edge.http.message import Fields, ResponseHead, is_bodiless
from edge.telemetry.logs import get_logger
from edge.upstream.carrier import RequestCarrier
from edge.upstream.claim import Claim
from edge.upstream.connection import is_event_stream
from edge.upstream.failures import NEVER_ANSWERED, REFUSED, RESET, upstream_error

if TYPE_CHECKING:
    from edge.handlers.proxy import Proxy
    from edge.upstream.origin import Origin

GATHER: Final = 64 * 1024
"""Bytes of a body of known length that we wait for before we occupy an origin's worker."""

PIECES_PER_TURN: Final = 8
"""Pieces of a spooled body sent before other connections get their turn."""

IDEMPOTENT: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"PROPFIND", b"REPORT", b"SEARCH"))
"""Methods that a proxy may repeat. "A proxy MUST NOT automatically retry non-idempotent requests" (RFC 9110 §9.2.2): a worker
that was killed while it handled a payment looks exactly like a pooled connection that had gone stale."""

TE_TRAILERS: Final = (b"te", b"trailers")
"""For an HTTP/2 origin, from a visitor who has said it: gRPC servers insist on it. HTTP/1.1 origins are not told."""

MAX_RETRIES: Final = 2
"""One for a pooled connection that had gone stale, one for a connection that was lost in the backlog of a stopping origin."""

log = get_logger("proxy")


class ProxyExchange:
    """Receiver of the exchange, claimer of a connection, receiver of its response: the one object of a proxied request."""

    # Most requests never set these: they have no body, need no new connection and get their response in one piece.
    _connection: RequestCarrier | None = None
    _claim: Claim | None = None
    _key: bytes = b""  # what the policy read from the request
    _spool: Spool | None = None
    _ahead: ResponseSpool | None = None
    _reads_ahead = False
    _is_whole = False  # the origin is done; what is left is in `_ahead`
    _trailers: Fields = ()
    _length: int = 0
    _passes_through = False  # the body goes straight to the origin: what has been gathered is sent and forgotten
    _body_paused = False
    _retries = 0
    _answered = False
    _done = False

    def __init__(self, exchange: Exchange, proxy: Proxy) -> None:
        self._exchange = exchange
        self._proxy = proxy
        exchange.receiver = self

    def __repr__(self) -> str:
        return f"<ProxyExchange {self._exchange.request.method!r} spool={self._spool!r} {self._connection!r}>"

    # -- the request body, until there is enough of it ----------------------------------------------------------------

    def gather(self) -> None:
        """Collect the beginning of the body, or all of it, then claim."""
        self._spool = Spool(self._proxy.spool_directory)
        if self._exchange.request.expects_continue:
            self._exchange.send_interim(100, ())

    def body_received(self, data: bytes) -> None:
        """Keep it or pass it on; thrown away when the origin has answered without it."""
        if self._answered or self._done:
            return
        if self._passes_through:
            assert self._connection
            if not self._connection.send_body(data):
                self._pause_body()
            return
        try:
            self._keep(data)
        except HTTPError as error:
            self._give_up(error)

    def _keep(self, data: bytes) -> None:
        assert self._spool
        self._spool.append(data)
        length = self._exchange.request.content_length
        if length is None:
            if self._spool.size > self._proxy.max_body:
                raise RequestRefused(413, "body-too-large")
        elif GATHER <= self._spool.size < length and not self._is_claiming:
            self._pause_body()
            self.claim()

    def body_ended(self) -> None:
        """The whole body is there."""
        if not (self._answered or self._done or self._passes_through or self._is_claiming):
            self.claim()

    @property
    def _is_claiming(self) -> bool:
        return self._claim is not None or self._connection is not None

    def _pause_body(self) -> None:
        if not self._body_paused:
            self._body_paused = True
            self._exchange.pause_body()

    def _resume_body(self) -> None:
        if self._body_paused:
            self._body_paused = False
            self._exchange.resume_body()

    # -- the connection -----------------------------------------------------------------------------------------------

    def claim(self) -> None:
        """Get a connection: a pooled one, or a new one."""
        upstream = self._proxy.upstream
        if upstream.key_of:
            self._read_key()
        connection = upstream.claim_idle(self._key)
        if connection is None or not (self._may_repeat or connection.looks_alive):
            if connection:
                connection.close()
            self._connect()
        else:
            self.connection_opened(connection)

    def _read_key(self) -> None:
        key_of = self._proxy.upstream.key_of
        self._key = key_of(self._exchange) if key_of else b""

    def _connect(self, but: Origin | None = None) -> None:
        size = self._spool.size if self._spool else 0
        self._claim = self._proxy.upstream.connect(self, self._key, size=size, but=but)

    def _claimed(self) -> None:
        claim, self._claim = self._claim, None
        if claim:
            self._exchange.held_seconds += claim.held_seconds

    @property
    def _may_repeat(self) -> bool:
        return self._exchange.request.method in IDEMPOTENT

    def connection_opened(self, connection: RequestCarrier) -> None:
        """Send the request."""
        if self._claim:
            self._claimed()
        self._connection = connection
        connection.first_byte_timeout = self._proxy.first_byte_timeout
        exchange = self._exchange
        request = exchange.request
        fields = upstream_fields(request, exchange.peer, exchange.request_id, time.time())
        if request.accepts_trailers and connection.takes_te:
            fields = (*fields, TE_TRAILERS)
        if self._spool is None:
            connection.send_request(self, request.method, request.target, fields, 0)
            return
        try:
            self._spool.rewind()
            first = self._spool.read_piece()
        except HTTPError as error:
            self._give_up(error)
            return
        length = self._spool.size if request.content_length is None else request.content_length
        if connection.send_request(self, request.method, request.target, fields, length, body=first):
            self._send_rest()

    def connection_failed(self, error: UpstreamError) -> None:
        """No origin took the request."""
        self._claimed()
        self._give_up(error)

    def request_drained(self) -> None:
        """The origin has taken what was sent."""
        if not (self._answered or self._done):
            self._send_rest()

    def _send_rest(self) -> None:
        """Send what has been gathered as fast as the origin takes it, then let the visitor's body through."""
        connection, spool = self._connection, self._spool
        if connection is None or spool is None or self._answered:
            return
        try:
            for _ in range(PIECES_PER_TURN):
                if spool.read == spool.size:
                    self._let_through()
                    return
                if not connection.send_body(spool.read_piece()):
                    return
        except HTTPError as error:
            self._give_up(error)
            return
        self._proxy.loop.call_soon(self._send_rest)

    def _let_through(self) -> None:
        assert self._spool
        length = self._exchange.request.content_length
        if length is None or self._spool.size == length:
            return  # there is no more; the spool stays for a retry
        self._passes_through = True
        self._resume_body()

    # -- the response -------------------------------------------------------------------------------------------------

    def interim_received(self, status: int, fields: Fields) -> None:
        """Pass 103 and 102 on; 100 is between us and the origin."""
        if status != 100:
            self._exchange.send_interim(status, self._proxy.visible(fields))

    def response_received(self, head: ResponseHead, body: Buffer) -> None:
        """The hot path: the whole response at once."""
        exchange = self._exchange
        self._note_answer(head)
        if head.content_length is None and not is_bodiless(exchange.request.method, head.status):
            head.content_length = len(body)
        self._end()
        exchange.respond(head, body)

    def head_received(self, head: ResponseHead) -> None:
        """Pass it on; a body that is still on its way is not sent any further."""
        self._reads_ahead = not is_event_stream(head) and head.field(b"x-accel-buffering") != b"no"
        self._note_answer(head)
        self._drop_spool()  # nothing is sent again behind an answer
        self._exchange.send_head(head)
        self._resume_body()

    def _note_answer(self, head: ResponseHead) -> None:
        self._answered = True
        exchange = self._exchange
        connection = self._connection
        assert connection
        exchange.upstream_seconds = connection.heard_at - connection.sent_at
        upstream = self._proxy.upstream
        if upstream.has_choice:
            head.fields = (*head.fields, *upstream.note_answer(connection, exchange, self._key, head.status))
        head.fields = downstream_fields(head.fields, exchange.request_id, self._proxy.response_fields)

    def data_received(self, data: Buffer) -> None:
        """Pass it on at the visitor's pace."""
        ahead = self._ahead
        if ahead is not None:
            ahead.append(data)
            if not ahead.has_room and self._connection:
                self._connection.pause_reading()
            return
        self._exchange.send_body(data)
        if not self._exchange.can_send and self._connection:
            self._fall_behind(self._connection)

    def _fall_behind(self, connection: RequestCarrier) -> None:
        """The visitor is slower than the origin."""
        if self._reads_ahead:
            self._ahead = ResponseSpool(self._proxy.spool_directory)
        else:
            connection.pause_reading()

    def resume_sending(self) -> None:
        """The visitor takes more."""
        if self._ahead is not None:
            self._send_ahead(self._ahead)
        elif self._connection:
            self._connection.resume_reading()

    def _send_ahead(self, ahead: ResponseSpool) -> None:
        """Send what has been read ahead, as far as the visitor takes it."""
        try:
            while self._exchange.can_send:
                piece = ahead.take()
                if not piece:
                    self._catch_up()
                    return
                self._exchange.send_body(piece)
        except HTTPError as error:
            self._is_whole = False
            self._end(abort=True)
            self._drop_ahead()
            self._exchange.abort(error.reason)

    def _catch_up(self) -> None:
        """The visitor has everything that has come."""
        self._drop_ahead()
        if self._is_whole:
            self._exchange.end(self._trailers)
        elif self._connection:
            self._connection.resume_reading()

    def _drop_ahead(self) -> None:
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    def response_ended(self, trailers: Fields = ()) -> None:
        """The origin's side is whole; the visitor's is when it has what was read ahead."""
        self._end()
        if self._ahead is None:
            self._exchange.end(trailers)
        else:
            self._is_whole = True
            self._trailers = trailers

    def response_failed(self, word: str) -> None:
        """Try again where that is safe, else say what went wrong."""
        connection, self._connection = self._connection, None
        assert connection
        upstream = self._proxy.upstream
        if upstream.has_choice:
            upstream.note_failure(connection, word)
        if self._can_retry(connection, word):
            self._retries += 1
            self._connect(but=upstream.origin_of(connection))
        else:
            self._give_up(upstream_error(word))

    def _can_retry(self, connection: RequestCarrier, word: str) -> bool:
        """Whether nothing is lost by asking again, and there is reason to hope for more."""
        if self._passes_through or self._retries == MAX_RETRIES:
            return False
        if word == REFUSED:
            return True  # the origin says that it has not begun (RFC 9113 §8.7), whatever the method
        if not self._may_repeat:
            return False
        if word == RESET:
            return True
        return word == NEVER_ANSWERED and (connection.is_reused or self._proxy.upstream.has_choice)

    # -- the end ------------------------------------------------------------------------------------------------------

    def _give_up(self, error: HTTPError) -> None:
        if self._done:
            return
        self._end(abort=True)
        self._drop_ahead()
        log.debug("exchange failed", request_id=self._exchange.request_id, reason=error.reason)
        respond_error(self._exchange, error)

    def exchange_aborted(self, reason: str) -> None:
        """The visitor is gone: the origin need not work for nobody."""
        self._end(abort=True)
        self._drop_ahead()

    def _end(self, *, abort: bool = False) -> None:
        """Release everything; nothing is called back afterwards."""
        self._done = True
        connection, self._connection = self._connection, None
        if abort and connection:
            connection.abort()
        claim, self._claim = self._claim, None
        if claim:
            claim.cancel()
        self._drop_spool()

    def _drop_spool(self) -> None:
        if self._spool:
            self._spool.close()
            self._spool = None
