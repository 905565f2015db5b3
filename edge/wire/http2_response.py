"""One header block of an origin's HTTP/2 response: field lines in, a head or trailers out (RFC 9113 §8.3.2). Pure.

The rules are those for HTTP/1.1 origins (`response_head`): what is ambiguous, or speaks of a connection that HTTP/2 does not
have, makes the response malformed, and it concerns its stream only.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import Final

from msgspec import Struct

from edge.errors import RequestRefused, UpstreamError
from edge.http.limits import MAX_RESPONSE_HEAD
from edge.http.message import HOP_BY_HOP, Field, Fields, ResponseHead
from edge.http.trailers import FIELD_OVERHEAD, clean_trailers
from edge.http.validation import check_field, parse_content_length

_STATUS: Final = re.compile(rb"[1-5][0-9]{2}").fullmatch

_FORBIDDEN: Final = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))
"""Their presence makes a response malformed (RFC 9113 §8.2.2)."""

_DROPPED: Final = HOP_BY_HOP | {b"status"}
"""End here, as in HTTP/1.1: the others of their family, and a CGI habit that repeats the status or contradicts it."""


class ParsedHead(Struct, frozen=True, gc=False):
    """A valid head, interim ones included."""

    status: int
    fields: Fields
    content_length: int | None

    def new_head(self) -> ResponseHead:
        """A head of its own for whoever may change it."""
        return ResponseHead(self.status, self.fields, self.content_length)


def parse_head(headers: Fields) -> ParsedHead:
    """The head that a header block describes.

    Raises: UpstreamError 502 for a malformed one.
    """
    if sum(map(len, chain.from_iterable(headers))) + FIELD_OVERHEAD * len(headers) > MAX_RESPONSE_HEAD:
        raise UpstreamError(502, "head-too-large")
    name, value = headers[0] if headers else (b"", b"")
    if name != b":status" or not _STATUS(value) or value == b"101":  # RFC 9113 §8.6: nothing to switch to
        raise UpstreamError(502, "status")
    kept: list[Field] = []
    length: int | None = None
    try:
        for line in headers[1:]:
            check_field(*line)
            if line[0] in _FORBIDDEN:
                raise UpstreamError(502, "connection-field")
            if line[0] == b"content-length":
                length = _one_length(length, line[1])
            elif line[0] not in _DROPPED:
                kept.append(line)
    except RequestRefused as exc:
        raise UpstreamError(502, exc.reason) from exc
    return ParsedHead(int(value), tuple(kept), length)


def _one_length(known: int | None, value: bytes) -> int:
    if known is not None:
        raise UpstreamError(502, "content-length")
    return parse_content_length(value)


def parse_trailers(headers: Fields) -> Fields:
    """The fields of a trailer section that may be passed on.

    Raises: UpstreamError 502 for a malformed one; pseudo-fields are never legal there (RFC 9113 §8.1).
    """
    if any(name in _FORBIDDEN or name != name.lower() for name, _ in headers):
        raise UpstreamError(502, "trailer-framing")
    try:
        return clean_trailers(headers)
    except RequestRefused as exc:
        raise UpstreamError(502, exc.reason) from exc
