"""One grammar for requests of every protocol version.

Engines hand over what they parsed; only what passes here becomes a `Request`. The rules are RFC 9110 §5, RFC 9112 §3 and
RFC 9113 §8.2–8.3, and where those leave room, the strict choice (see docs/design/http-validation.md). Every function is pure.
Field lines repeat from request to request, so verdicts on whole lines are remembered in a bounded memo.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final

from edge.errors import RequestRefused
from edge.http.limits import MAX_CONTENT_LENGTH_DIGITS, MAX_REQUEST_LINE

METHODS: Final = frozenset(
    (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"PROPFIND", b"PROPPATCH", b"MKCOL", b"COPY",
     b"MOVE", b"LOCK", b"UNLOCK", b"REPORT", b"SEARCH", b"PURGE")
)  # fmt: skip
"""RFC 9110 and WebDAV. CONNECT and TRACE are not for an origin; anything else is 501."""

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_LOWER_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch
_VALUE = re.compile(rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?").fullmatch
_TARGET = re.compile(rb"/[\x21\x22\x24-\x5b\x5d-\x7e]*").fullmatch
_BAD_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})").search
_AUTHORITY = re.compile(
    rb"([A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?"
).fullmatch
_DIGITS = re.compile(rb"[0-9]+").fullmatch

MAX_AUTHORITY: Final = 262
"""A host name of 255 bytes with a final dot, a colon and five digits."""

_good_lines: set[tuple[bytes, bytes]] = set()
_MEMO_ENTRIES: Final = 4096
_MEMO_LINE: Final = 256
"""Remembered lines and the longest of them, name and value together: about a megabyte in a worker."""


def judge_field(name: bytes, value: bytes) -> None:
    """`check_field` for callers that have a memo of their own."""
    if not _LOWER_NAME(name):
        raise RequestRefused(400, "field-name")
    if not _VALUE(value):
        raise RequestRefused(400, "field-value")


def check_field(name: bytes, value: bytes) -> None:
    """Accept a lower-case field name and its value, or refuse the request with 400."""
    line = (name, value)
    if line in _good_lines:
        return
    judge_field(name, value)
    if len(name) + len(value) <= _MEMO_LINE:
        if len(_good_lines) >= _MEMO_ENTRIES:
            _good_lines.clear()
        _good_lines.add(line)


def check_method(method: bytes) -> None:
    """Accept a method that edge forwards; 400 for what is no token, 405 for CONNECT and TRACE, 501 for unknown ones."""
    if method in METHODS:
        return
    if len(method) > 32 or not _TOKEN(method):
        raise RequestRefused(400, "method")
    if method in (b"CONNECT", b"TRACE"):
        raise RequestRefused(405, "method-not-allowed")
    raise RequestRefused(501, "method-unknown")


def check_target(method: bytes, target: bytes) -> None:
    """Accept origin-form (`/path?query`), or `*` with OPTIONS (RFC 9112 §3.2).

    Refused: spaces, controls, non-ASCII bytes, `#`, a backslash (browsers turn it into a slash) and broken percent signs.
    """
    if len(target) > MAX_REQUEST_LINE:
        raise RequestRefused(414, "target-too-long")
    if target == b"*" and method == b"OPTIONS":
        return
    if not _TARGET(target) or (b"%" in target and _BAD_PERCENT(target.partition(b"?")[0])):
        raise RequestRefused(400, "target")


@lru_cache(maxsize=1024)  # refusals are not remembered, so no key is longer than MAX_AUTHORITY
def normalise_authority(value: bytes, scheme: bytes) -> bytes:
    """`host[:port]` in lower case, without the scheme's own port and without a final dot (RFC 9110 §4.2.3, §7.2).

    Raises: RequestRefused 400 for userinfo, lists, bad characters, ports over 65535.
    """
    match = _AUTHORITY(value) if len(value) <= MAX_AUTHORITY else None
    if not match:
        raise RequestRefused(400, "authority")
    host, port = match.group(1).lower(), match.group(2)
    if b".." in host or (host.startswith(b"[") and not _is_ipv6(host[1:-1])):
        raise RequestRefused(400, "authority")
    if host.endswith(b"."):
        host = host[:-1]
    if port is None:
        return host
    number = int(port)
    if not 0 < number <= 65535:
        raise RequestRefused(400, "authority")
    if number == (443 if scheme == b"https" else 80):
        return host
    return host + b":%d" % number


def _is_ipv6(text: bytes) -> bool:
    try:
        IPv6Address(text.decode("ascii"))
    except ValueError:
        return False
    return True


def split_authority(authority: bytes) -> tuple[str, int | None]:
    """Host (IPv6 without brackets) and port of a normalised authority."""
    text = authority.decode("ascii")
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, int(rest[1:]) if rest else None
    host, colon, port = text.partition(":")
    return host, int(port) if colon else None


def parse_content_length(value: bytes) -> int:
    """A Content-Length value: digits only, at most 15 of them (RFC 9110 §8.6)."""
    if not _DIGITS(value) or len(value) > MAX_CONTENT_LENGTH_DIGITS:
        raise RequestRefused(400, "content-length")
    return int(value)
