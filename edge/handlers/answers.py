"""The operator's hand on every answer of a site: field rules, HSTS, error pages.

    response  ──remove──▶ ──set──▶ ──add──▶ ──HSTS, over TLS, unless the application said it──▶ visitor

Errors that anything further in raises become pages here, so that they get the same fields. Interim (1xx) responses pass as
they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edge.config.schema import FieldRules
from edge.errors import HTTPError
from edge.handlers.error_page import respond_error
from edge.handlers.wrapped_exchange import RewrittenExchange
from edge.http.exchange import Exchange, Handler
from edge.http.message import Field, Fields, ResponseHead

HSTS: Final = b"strict-transport-security"


class FieldChanges:
    """`rules` as the bytes that they make of a response's fields. `hsts` is a field value, or ""."""

    def __init__(self, rules: FieldRules, hsts: str) -> None:
        self._gone = frozenset(name.encode() for name in (*rules.remove, *(name for name, _ in rules.set)))
        self._new: Fields = tuple((name.encode(), value.encode()) for name, value in (*rules.set, *rules.add))
        self._hsts: Field | None = (HSTS, hsts.encode()) if hsts else None

    def apply(self, fields: Fields, scheme: bytes) -> Fields:
        """The fields as visitors get them. RFC 6797 §7.2: HSTS is for responses over TLS only."""
        gone = self._gone
        kept = tuple(line for line in fields if line[0] not in gone) if gone else fields
        if self._hsts is None or scheme != b"https" or any(name == HSTS for name, _ in kept):
            return kept + self._new
        return (*kept, *self._new, self._hsts)


class Answers:
    """The handler in front of all others of a site. `pages`: HTML by status."""

    def __init__(self, changes: FieldChanges, pages: Mapping[int, bytes], handler: Handler) -> None:
        self._changes = changes
        self._pages = pages
        self._handler = handler

    def __call__(self, exchange: Exchange) -> None:
        """Let the others answer through the rules."""
        answered = _AnsweredExchange(exchange, self._changes, self._pages)
        try:
            self._handler(answered)
        except HTTPError as error:
            respond_error(answered, error)


class _AnsweredExchange(RewrittenExchange):
    __slots__ = ("_changes", "_pages")

    def __init__(self, inner: Exchange, changes: FieldChanges, pages: Mapping[int, bytes]) -> None:
        super().__init__(inner)
        self._changes = changes
        self._pages = pages

    def own_error_page(self, status: int) -> bytes | None:
        return self._pages.get(status)

    def _rewritten(self, head: ResponseHead) -> ResponseHead:
        fields = self._changes.apply(head.fields, self.inner.request.scheme)
        return ResponseHead(head.status, fields, head.content_length)
