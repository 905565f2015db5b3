"""Requests that change something: what is stored for their URL is forgotten when they succeed (RFC 9111 §4.4)."""

from __future__ import annotations

from collections.abc import Callable

from edge.handlers.wrapped_exchange import WrappedExchange
from edge.http.cache_key import primary_key, sibling_key
from edge.http.exchange import Buffer, Exchange
from edge.http.message import ResponseHead


class Invalidating(WrappedExchange):
    """An exchange whose answer, unless it is an error, makes `invalidate` hear of the keys that it changed."""

    __slots__ = ("_invalidate",)

    def __init__(self, inner: Exchange, invalidate: Callable[[bytes], None]) -> None:
        super().__init__(inner)
        self._invalidate = invalidate

    def send_head(self, head: ResponseHead) -> None:
        self._look_at(head)
        self.inner.send_head(head)

    def respond(self, head: ResponseHead, body: Buffer = b"") -> None:
        self._look_at(head)
        self.inner.respond(head, body)

    def _look_at(self, head: ResponseHead) -> None:
        if head.status >= 400:
            return
        request = self.inner.request
        keys = {primary_key(request)}
        for name, value in head.fields:
            if name in (b"location", b"content-location") and (key := sibling_key(request, value)):
                keys.add(key)
        for key in keys:
            self._invalidate(key)
