"""One response head of an origin: its exact bytes in, a valid `ResponseHead` and the framing of its body out. Pure.

The strictness of requests holds here too: an origin that sends two lengths, or a control character in a field, is broken or
being used for an attack.

A head is a pure function of its bytes, and within the second that its `date` names a busy origin repeats it, so heads are
remembered as requests' are.
"""

from __future__ import annotations

import re
from typing import Final

import httptools
from msgspec import Struct

from edge.errors import RequestRefused, UpstreamError
from edge.http.message import HOP_BY_HOP, Fields, ResponseHead, is_bodiless
from edge.http.validation import parse_content_length
from edge.wire.connection_options import is_persistent, parse_connection, without_named
from edge.wire.head_syntax import Aside, BrokenHead, FieldSorter, split_head

_STATUS_LINE: Final = re.compile(rb"HTTP/(1\.[01]) ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?\r\n").match

_FIELDS: Final = FieldSorter(HOP_BY_HOP | {b"content-length", b"status"}, drop_underscores=False)
"""Set aside are framing and connection; and `status`, a CGI habit that repeats the status line or contradicts it."""


NO_BODY: Final = "no body"
LENGTH: Final = "length"
CHUNKS: Final = "chunks"
UNTIL_CLOSE: Final = "until close"
"""How the body of a response ends (RFC 9112 §6.3)."""


_MEMO_ENTRIES: Final = 512
_MEMO_HEAD: Final = 1024
"""Remembered heads and the longest of them: half a megabyte of keys in a worker, and about twice that in values."""

_memo: dict[tuple[bytes, bytes], ParsedResponse] = {}


class ParsedResponse(Struct, frozen=True, gc=False):
    """A valid head, interim ones included.

    `framing` is NO_BODY, LENGTH, CHUNKS or UNTIL_CLOSE. `persistent`: the origin keeps the connection behind this response.
    `upgrade` is what a 101 switches to, in lower case.
    """

    status: int
    fields: Fields
    content_length: int | None
    framing: str
    persistent: bool
    upgrade: bytes = b""

    def new_head(self) -> ResponseHead:
        """A head of its own for every response, because a handler may change it before it is sent."""
        return ResponseHead(self.status, self.fields, self.content_length)


def parse_response_head(data: bytes, method: bytes) -> ParsedResponse:
    """The response to a request with `method` that `data`, which ends with its only empty line, announces.

    Raises: UpstreamError 502.
    """
    key = (data, method)
    known = _memo.get(key)
    if known is not None:
        return known
    parsed = _parse(data, method)
    if len(data) <= _MEMO_HEAD:
        if len(_memo) >= _MEMO_ENTRIES:
            _memo.clear()
        _memo[key] = parsed
    return parsed


def _parse(data: bytes, method: bytes) -> ParsedResponse:
    match = _STATUS_LINE(data)
    if match is None:
        raise UpstreamError(502, "syntax")
    version, status = match.group(1), int(match.group(2))
    try:
        kept, aside = _FIELDS.sort(split_head(httptools.HttpResponseParser, data)[0])
        length = _content_length(aside)
    except BrokenHead as broken:
        raise UpstreamError(502, "syntax") from broken
    except RequestRefused as exc:
        raise UpstreamError(502, exc.reason) from exc
    options = parse_connection(aside.get(b"connection"))
    fields = without_named(tuple(kept), options)
    framing = _framing(method, status, version, aside, length)
    upgrade = _upgrade(aside, options) if status == 101 else b""
    return ParsedResponse(status, fields, length, framing, is_persistent(version, options), upgrade)


def _upgrade(aside: Aside, options: frozenset[bytes]) -> bytes:
    """RFC 9110 §7.8: an `Upgrade` that `Connection` does not list was not meant for us."""
    return b",".join(aside.get(b"upgrade", [])).lower() if b"upgrade" in options else b""


def _content_length(aside: Aside) -> int | None:
    lengths = aside.get(b"content-length")
    if lengths is None:
        return None
    if len(lengths) != 1:
        raise UpstreamError(502, "content-length")
    return parse_content_length(lengths[0])


def _framing(method: bytes, status: int, version: bytes, aside: Aside, length: int | None) -> str:
    """RFC 9112 §6.3 in its order, but that both Content-Length and Transfer-Encoding are never accepted."""
    codings = aside.get(b"transfer-encoding")
    exact = version == b"1.1" and codings is not None and len(codings) == 1 and codings[0].lower() == b"chunked"
    if codings is not None and (length is not None or not exact):
        raise UpstreamError(502, "transfer-encoding")
    if is_bodiless(method, status):
        return NO_BODY
    if codings is not None:
        return CHUNKS
    if length is None:
        return UNTIL_CLOSE
    return LENGTH if length else NO_BODY
