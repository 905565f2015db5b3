"""Requests that pass the cache: the application answers as if there were none, and a field says so."""

from __future__ import annotations

from edge.handlers.wrapped_exchange import SubstitutedExchange
from edge.http.cache_status import forwarded, with_cache_status
from edge.http.exchange import Exchange
from edge.http.message import Request, ResponseHead


class Passed(SubstitutedExchange):
    """An exchange whose response gets a Cache-Status. `request` is what the application is asked, without the parameters that
    do not count."""

    __slots__ = ("_why",)

    def __init__(self, inner: Exchange, request: Request, why: bytes) -> None:
        super().__init__(inner, request)
        self._why = why
        inner.cache_verdict = "bypass"

    def _rewritten(self, head: ResponseHead) -> ResponseHead:
        return ResponseHead(head.status, with_cache_status(head.fields, forwarded(self._why)), head.content_length)
