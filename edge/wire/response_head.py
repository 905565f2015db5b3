"""One response head of an origin: its exact bytes in, a valid `ResponseHead` and the framing of its body out. Pure.

The strictness of requests holds here too: an origin that sends two lengths, or a control character in a field, is broken or
being used for an attack.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final

import httptools
from msgspec import Struct

from edge.errors import RequestRefused, UpstreamError
from edge.http.message import HOP_BY_HOP, ResponseHead, is_bodiless
from edge.http.validation import parse_content_length
from edge.wire.connection_options import is_persistent, parse_connection, without_named
from edge.wire.head_syntax import Aside, BrokenHead, sort_fields, split_head

_STATUS_LINE: Final = re.compile(rb"HTTP/(1\.[01]) ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?\r\n").match

_SET_ASIDE: Final = HOP_BY_HOP | {b"content-length", b"status"}
"""Framing and connection; and `status`, a CGI habit that repeats the status line or contradicts it."""


class Framing(Enum):
    """How the body of a response ends (RFC 9112 §6.3)."""

    NONE = auto()
    LENGTH = auto()
    CHUNKS = auto()
    UNTIL_CLOSE = auto()


class ParsedResponse(Struct, frozen=True):
    """A valid head, interim ones included. `persistent`: the origin keeps the connection behind this response."""

    head: ResponseHead
    framing: Framing
    persistent: bool


def parse_response_head(data: bytes, method: bytes) -> ParsedResponse:
    """The response to a request with `method` that `data`, which ends with its only empty line, announces.

    Raises: UpstreamError 502.
    """
    match = _STATUS_LINE(data)
    if match is None:
        raise UpstreamError(502, "syntax")
    version, status = match.group(1), int(match.group(2))
    try:
        kept, aside = sort_fields(split_head(httptools.HttpResponseParser, data)[0], _SET_ASIDE)
        length = _content_length(aside)
    except BrokenHead as exc:
        raise UpstreamError(502, "syntax") from exc
    except RequestRefused as exc:
        raise UpstreamError(502, exc.reason) from exc
    options = parse_connection(aside[b"connection"]) if b"connection" in aside else frozenset()
    fields = without_named(tuple(kept), options) if options else tuple(kept)
    framing = _framing(method, status, version, aside, length)
    return ParsedResponse(ResponseHead(status, fields, length), framing, is_persistent(version, options))


def _content_length(aside: Aside) -> int | None:
    lengths = aside.get(b"content-length")
    if lengths is None:
        return None
    if len(lengths) != 1:
        raise UpstreamError(502, "content-length")
    return parse_content_length(lengths[0])


def _framing(method: bytes, status: int, version: bytes, aside: Aside, length: int | None) -> Framing:
    """RFC 9112 §6.3 in its order, but that both Content-Length and Transfer-Encoding are never accepted."""
    codings = aside.get(b"transfer-encoding")
    exact = version == b"1.1" and codings is not None and len(codings) == 1 and codings[0].lower() == b"chunked"
    if codings is not None and (length is not None or not exact):
        raise UpstreamError(502, "transfer-encoding")
    if is_bodiless(method, status):
        return Framing.NONE
    if codings is not None:
        return Framing.CHUNKS
    if length is None:
        return Framing.UNTIL_CLOSE
    return Framing.LENGTH if length else Framing.NONE
