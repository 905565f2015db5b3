"""One HTTP/1 request head: its exact bytes in, a valid `Request` out, or a refusal. Pure.

llhttp judges the syntax; what it leaves open (request line, Host, framing in HTTP/1.0, Expect, counts) is judged here.

A head is a pure function of its bytes, and clients repeat theirs. Heads without a body are therefore remembered.
"""

from __future__ import annotations

from typing import Final

import httptools
from msgspec import Struct

from edge.errors import RequestRefused
from edge.http.limits import MAX_FIELDS
from edge.http.message import HOP_BY_HOP, Field, Fields, Request
from edge.http.validation import normalise_authority, parse_content_length
from edge.http.websocket import WEBSOCKET, has_version, key_of
from edge.wire.connection_options import accepts_trailers, is_persistent, parse_connection, without_named
from edge.wire.head_syntax import Aside, BrokenHead, FieldSorter, split_head
from edge.wire.request_line import RequestLine, parse_request_line

_FIELDS: Final = FieldSorter(HOP_BY_HOP | {b"host", b"content-length", b"expect"}, drop_underscores=True)
"""Fields that become attributes of the request, or end here, are set aside. Names with an underscore vanish: upstreams fold
`_` and `-`, so `Transfer_Encoding` would be framing there."""

_MEMO_ENTRIES: Final = 1024
_MEMO_HEAD: Final = 2048
"""Remembered heads and the longest of them: at most 2 MiB of keys in a worker, and about twice that in requests."""

_memo: dict[tuple[bytes, bytes], ParsedHead] = {}


class ParsedHead(Struct, frozen=True, gc=False):
    """A valid head, and whether the client keeps the connection afterwards. A body follows unless content_length is 0."""

    request: Request
    persistent: bool


def known_head(head: bytes, scheme: bytes) -> ParsedHead | None:
    """What `parse_request_head` said of exactly these bytes, if it is remembered."""
    return _memo.get((head, scheme))


def parse_request_head(head: bytes, scheme: bytes) -> ParsedHead:
    """The request in `head`, which ends with its only empty line; `scheme` is the transport's.

    Raises: RequestRefused with the status that answers it.
    """
    key = (head, scheme)
    known = _memo.get(key)
    if known is not None:
        return known
    parsed = _parse(head, scheme)
    if len(head) <= _MEMO_HEAD and parsed.request.content_length == 0 and not parsed.request.upgrade:
        if len(_memo) >= _MEMO_ENTRIES:
            _memo.clear()
        _memo[key] = parsed
    return parsed


def _parse(head: bytes, scheme: bytes) -> ParsedHead:
    line = parse_request_line(head[: head.index(b"\n") + 1])
    lines, upgrade = _split(head)
    if len(lines) > MAX_FIELDS:
        raise RequestRefused(431, "too-many-fields")
    kept, aside = _FIELDS.sort(lines)
    content_length = _body_length(line.version, aside)
    if upgrade and content_length != 0:
        raise RequestRefused(400, "upgrade-with-body")
    options = parse_connection(aside.get(b"connection"))
    fields = without_named(tuple(kept), options)
    request = Request(
        method=line.method,
        scheme=scheme,
        authority=_authority(line, aside.get(b"host", []), scheme),
        target=line.target,
        fields=fields,
        content_length=content_length,
        version=line.version,
        expects_continue=_expects_continue(line.version, aside) and content_length != 0,
        upgrade=WEBSOCKET if upgrade and _is_websocket(line, aside, fields) else b"",
        accepts_trailers=b"te" in aside and line.version == b"1.1" and accepts_trailers(aside[b"te"]),
    )
    return ParsedHead(request, is_persistent(line.version, options) and not upgrade)


def _is_websocket(line: RequestLine, aside: Aside, fields: Fields) -> bool:
    """Whether this is a WebSocket handshake (RFC 6455 §4.2.1). Other upgrades are not refused but ignored (RFC 9110 §7.8)."""
    if line.method != b"GET" or line.version != b"1.1":
        return False
    protocols = aside.get(b"upgrade", [])
    return [each.lower() for each in protocols] == [WEBSOCKET] and has_version(fields) and key_of(fields) is not None


def _split(head: bytes) -> tuple[list[Field], bool]:
    try:
        return split_head(httptools.HttpRequestParser, head)
    except BrokenHead as exc:
        raise RequestRefused(400, "syntax") from exc


def _authority(line: RequestLine, hosts: list[bytes], scheme: bytes) -> bytes:
    """Exactly one valid Host (RFC 9112 §3.2), in HTTP/1.0 too; an absolute-form target must agree with it."""
    if len(hosts) != 1:
        raise RequestRefused(400, "host")
    authority = normalise_authority(hosts[0], scheme)
    if line.authority is not None and normalise_authority(line.authority, scheme) != authority:
        raise RequestRefused(400, "host-differs")
    return authority


def _body_length(version: bytes, aside: Aside) -> int | None:
    """The length of the body, None for a chunked one (RFC 9112 §6.3, without its leniencies)."""
    codings, lengths = aside.get(b"transfer-encoding"), aside.get(b"content-length")
    if codings is None:
        if lengths is None:
            return 0
        if len(lengths) != 1:
            raise RequestRefused(400, "content-length")
        return parse_content_length(lengths[0])
    if lengths is not None or version != b"1.1":
        raise RequestRefused(400, "transfer-encoding")
    if len(codings) != 1 or codings[0].lower() != b"chunked":
        raise RequestRefused(501, "transfer-coding")
    return None


def _expects_continue(version: bytes, aside: Aside) -> bool:
    """RFC 9110 §10.1.1: 100-continue is the only expectation, and HTTP/1.0 has none."""
    expectations = aside.get(b"expect")
    if expectations is None:
        return False
    if len(expectations) != 1 or expectations[0].lower() != b"100-continue":
        raise RequestRefused(417, "expectation")
    return version == b"1.1"
