"""Requests that pass the cache: the application answers as if there were none, and a field says so."""

from __future__ import annotations

from edge.handlers.wrapped_exchange import WrappedExchange
from edge.http.cache_status import forwarded, with_cache_status
from edge.http.exchange import Buffer, Exchange
from edge.http.message import Request, ResponseHead


class Passed(WrappedExchange):
    """An exchange whose response gets a Cache-Status. `request` is what the application is asked."""

    __slots__ = ("_request", "_why")

    def __init__(self, inner: Exchange, request: Request, why: bytes) -> None:
        super().__init__(inner)
        self._request = request
        self._why = why
        inner.cache_verdict = "bypass"

    @property
    def request(self) -> Request:
        """Without the parameters that do not count."""
        return self._request

    @request.setter
    def request(self, request: Request) -> None:
        self._request = request

    def send_head(self, head: ResponseHead) -> None:
        self.inner.send_head(self._marked(head))

    def respond(self, head: ResponseHead, body: Buffer = b"") -> None:
        self.inner.respond(self._marked(head), body)

    def _marked(self, head: ResponseHead) -> ResponseHead:
        return ResponseHead(head.status, with_cache_status(head.fields, forwarded(self._why)), head.content_length)
