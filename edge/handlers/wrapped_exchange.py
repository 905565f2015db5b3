"""An exchange seen through something: the base of whatever changes a response on its way, or the request before it.

Subclasses override what they change; everything else goes to the exchange behind. Such a layer is put in only where a feature
is on, so that a site without it pays nothing.
"""

from __future__ import annotations

from edge.http.exchange import Buffer, Exchange, Peer, Receiver
from edge.http.message import Fields, Request, ResponseHead


class WrappedExchange:
    """`edge.http.exchange.Exchange`, all of it passed on to `inner`."""

    __slots__ = ("inner",)

    def __init__(self, inner: Exchange) -> None:
        self.inner = inner

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.inner!r}>"

    # -- what is known ------------------------------------------------------------------------------------------------

    @property
    def request(self) -> Request:
        """The request."""
        return self.inner.request

    @request.setter
    def request(self, request: Request) -> None:
        self.inner.request = request

    @property
    def peer(self) -> Peer:
        """Who asks."""
        return self.inner.peer

    @peer.setter
    def peer(self, peer: Peer) -> None:
        self.inner.peer = peer

    @property
    def receiver(self) -> Receiver | None:
        """Who listens."""
        return self.inner.receiver

    @receiver.setter
    def receiver(self, receiver: Receiver | None) -> None:
        self.inner.receiver = receiver

    @property
    def upstream_seconds(self) -> float:
        """For the access log."""
        return self.inner.upstream_seconds

    @upstream_seconds.setter
    def upstream_seconds(self, seconds: float) -> None:
        self.inner.upstream_seconds = seconds

    @property
    def held_seconds(self) -> float:
        """For the access log."""
        return self.inner.held_seconds

    @held_seconds.setter
    def held_seconds(self, seconds: float) -> None:
        self.inner.held_seconds = seconds

    @property
    def cache_verdict(self) -> str:
        """For the access log."""
        return self.inner.cache_verdict

    @cache_verdict.setter
    def cache_verdict(self, verdict: str) -> None:
        self.inner.cache_verdict = verdict

    @property
    def request_id(self) -> str:
        """The id of the request."""
        return self.inner.request_id

    @property
    def head_sent(self) -> bool:
        """Whether a final response head has gone out."""
        return self.inner.head_sent

    @property
    def can_send(self) -> bool:
        """Whether the client keeps up."""
        return self.inner.can_send

    def adopt_request_id(self, request_id: str) -> None:
        """Use the id that a trusted proxy gave this request."""
        self.inner.adopt_request_id(request_id)

    def own_error_page(self, status: int) -> bytes | None:
        """The operator's page for errors with this status."""
        return self.inner.own_error_page(status)

    # -- the response -------------------------------------------------------------------------------------------------

    def send_interim(self, status: int, fields: Fields) -> None:
        """Forward a 1xx response."""
        self.inner.send_interim(status, fields)

    def open_tunnel(self, fields: Fields) -> None:
        """Accept a handshake: bytes both ways from now on."""
        self.inner.open_tunnel(fields)

    def send_head(self, head: ResponseHead) -> None:
        """Begin the response."""
        self.inner.send_head(head)

    def send_body(self, data: Buffer) -> None:
        """Append body bytes."""
        self.inner.send_body(data)

    def end(self, trailers: Fields = ()) -> None:
        """The response is complete."""
        self.inner.end(trailers)

    def respond(self, head: ResponseHead, body: Buffer = b"") -> None:
        """The whole response in one call."""
        self.inner.respond(head, body)

    def abort(self, reason: str) -> None:
        """Give the response up."""
        self.inner.abort(reason)

    # -- the request body ---------------------------------------------------------------------------------------------

    def pause_body(self) -> None:
        """Deliver no more of the request body for now."""
        self.inner.pause_body()

    def resume_body(self) -> None:
        """Deliver it again."""
        self.inner.resume_body()

    def let_body_rest(self) -> None:
        """It may be silent."""
        self.inner.let_body_rest()


class RewrittenExchange(WrappedExchange):
    """An exchange whose response gets another head on its way. Subclasses say which."""

    __slots__ = ()

    def _rewritten(self, head: ResponseHead) -> ResponseHead:
        """A new head: the one that came may belong to a static file and be sent to others too."""
        raise NotImplementedError

    def send_head(self, head: ResponseHead) -> None:
        """Begin the response."""
        self.inner.send_head(self._rewritten(head))

    def respond(self, head: ResponseHead, body: Buffer = b"") -> None:
        """The whole response."""
        self.inner.respond(self._rewritten(head), body)


class SubstitutedExchange(RewrittenExchange):
    """An exchange that shows the handler behind it another request. The log keeps the visitor's."""

    __slots__ = ("_request",)

    def __init__(self, inner: Exchange, request: Request) -> None:
        super().__init__(inner)
        self._request = request

    @property
    def request(self) -> Request:
        """What the handler is to answer."""
        return self._request

    @request.setter
    def request(self, request: Request) -> None:
        self._request = request
