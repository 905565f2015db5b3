"""One visitor's request as the cache sees it, read once.

What a visitor says about caching is advice (RFC 9111 §5.2.1), and following it would let anybody send every request on to the
origin. So `no-cache`, `max-age`, `min-fresh` and Pragma change nothing. Two words are heeded, because nobody else pays for them:
`no-store` keeps the answer from being stored, and `only-if-cached` gets 504 rather than a request to the origin.
"""

from __future__ import annotations

from typing import Final

from edge.http.cache_control import has_directive
from edge.http.caching import OVERRIDES
from edge.http.exchange import Exchange
from edge.http.message import Request

_PRECONDITIONS: Final = frozenset((b"if-match", b"if-unmodified-since"))

_CONDITIONAL: Final = frozenset((b"if-none-match", b"if-modified-since", b"if-range", b"range"))
"""What is taken from a request that is to bring the whole response; the stored one answers the conditions."""

_NOTICED: Final = OVERRIDES | _PRECONDITIONS | {b"authorization", b"range", b"cache-control"}


class Asking:
    """`request` is the visitor's, without the parameters that do not count. `until` is when it stops to wait, 0 before."""

    __slots__ = (
        "exchange",
        "has_credentials",
        "is_odd",
        "is_partial",
        "may_store",
        "only_if_cached",
        "request",
        "until",
    )

    def __init__(self, exchange: Exchange, request: Request) -> None:
        self.exchange = exchange
        self.request = request
        self.until = 0.0
        self.has_credentials = self.is_partial = self.only_if_cached = False
        self.is_odd = request.content_length != 0 or bool(request.upgrade)
        """It has to reach the origin as it is."""
        self.may_store = True
        for name, _ in request.fields:
            if name in _NOTICED:
                self._notice(name)

    def _notice(self, name: bytes) -> None:
        if name == b"authorization":
            self.has_credentials = True
        elif name == b"range":
            self.is_partial = True
        elif name == b"cache-control":
            value = self.request.combined(b"cache-control")
            self.only_if_cached = has_directive(value, b"only-if-cached")
            self.may_store = not has_directive(value, b"no-store")
        else:
            self.is_odd = True


def whole_request(request: Request, validators: tuple[tuple[bytes, bytes], ...] = ()) -> Request:
    """The request that brings the whole response for everybody, or with `validators` a 304 if the stored one is still good."""
    fields = tuple(line for line in request.fields if line[0] not in _CONDITIONAL)
    return Request(
        method=b"GET",
        scheme=request.scheme,
        authority=request.authority,
        target=request.target,
        fields=(*fields, *validators),
        version=request.version,
    )
