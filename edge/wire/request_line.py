"""The first line of an HTTP/1 request: `method SP target SP version CRLF`, single spaces, nothing else (RFC 9112 §3).

The RFC allows a server to be lenient with blank lines and runs of spaces. Leniency is where two parsers disagree, so there is
none here.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from edge.errors import RequestRefused
from edge.http.validation import check_method, check_target

_LINE: Final = re.compile(rb"([!-~]+) ([!-~]+) ([A-Z]+)/([0-9]+\.[0-9]+)\r\n").fullmatch
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE).fullmatch


class RequestLine(Struct, frozen=True, gc=False):
    """A valid request line. `target` is origin-form or `*`; `authority` is what an absolute-form target named, else None."""

    method: bytes
    target: bytes
    version: bytes
    authority: bytes | None = None


def parse_request_line(line: bytes) -> RequestLine:
    """The parts of `line`, which includes its CRLF.

    Raises: RequestRefused 400 for bad syntax, 405 and 501 for the method, 505 for any version but 1.0 and 1.1.
    """
    match = _LINE(line)
    if match is None:
        raise RequestRefused(400, "request-line")
    method, target, protocol, version = match.groups()
    if protocol != b"HTTP" or version not in (b"1.1", b"1.0"):
        raise RequestRefused(505, "version")
    check_method(method)
    authority = None
    if not target.startswith(b"/"):
        authority, target = _split_absolute(method, target)
    check_target(method, target)
    return RequestLine(method, target, version, authority)


def _split_absolute(method: bytes, target: bytes) -> tuple[bytes | None, bytes]:
    """Authority and origin-form of an absolute-form target (RFC 9112 §3.2.2); anything else is returned as it is."""
    match = _ABSOLUTE(target)
    if match is None:
        return None, target
    authority, rest = match.groups()
    if rest.startswith(b"/"):
        return authority, rest
    if not rest and method == b"OPTIONS":
        return authority, b"*"  # RFC 9112 §3.2.4
    return authority, b"/" + rest
