"""The one reading of a request target's path, for routing and for file look-up alike.

A path has two readings here, and both are needed:

    target      /docs/%2e%2e/static/a%20b.css?v=1
    written     docs  ..  static  a b.css          split at "/", each segment percent-decoded exactly once
    segments    static  a b.css                    the same with "." and ".." resolved (RFC 3986 §5.2.4)

Routing looks at `segments`, but an upstream is sent the target byte for byte, so the two could disagree about what was asked
for: `/static/../account` is an asset to a cache in front of us and an account page to the origin behind us. The rule: **a
target may be routed only if both readings lead to the same route** (`edge.http.prefixes` refuses it with 400 otherwise).
Within one route dots are harmless: a static mount serves `segments`, an upstream makes of the original what it likes.

Slashes are never merged (an empty segment stays one) and `%2F` never becomes a separator: it stays inside its segment, where
a file look-up finds it and answers 404. Letter case is never folded. Whether a segment is UTF-8 is the look-up's business too.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from msgspec import Struct

from edge.errors import RequestRefused

_BAD_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})").search
_FORBIDDEN = re.compile(rb"[\x00-\x1f\x7f\\]").search
"""Decoded bytes that no path may hold: NUL cuts names short in C, controls forge log lines, browsers read `\\` as `/`."""

_UNQUOTED: Final = "!$&'()*+,;=:@"
"""What RFC 3986 §3.3 allows in a segment as it is, beside letters, digits and `-._~`."""

_DOTS: Final = frozenset((b".", b".."))


class TargetPath(Struct, frozen=True, gc=False):
    """The path of one request target in both readings, and its query.

    A trailing slash shows as a last segment that is empty; the path `/` is one empty segment. `written` is the same object as
    `segments` when there was nothing to resolve. `query` is None without a `?`.
    """

    segments: tuple[bytes, ...]
    written: tuple[bytes, ...]
    query: bytes | None


def parse_path(target: bytes) -> TargetPath:
    """Both readings of an origin-form target.

    Raises: RequestRefused 400 for a broken percent sign, a decoded control character or backslash, and for `..` above `/`.
    Source: RFC 3986 §2.1, §3.3, §5.2.4.
    """
    path, mark, query = target.partition(b"?")
    if not path.startswith(b"/") or _BAD_PERCENT(path):
        raise RequestRefused(400, "path")
    if _FORBIDDEN(unquote_to_bytes(path)):
        raise RequestRefused(400, "path-characters")
    written = tuple(path[1:].split(b"/"))
    if b"%" in path:
        written = tuple(map(unquote_to_bytes, written))
    return TargetPath(_resolve(written), written, query if mark else None)


def format_path(segments: tuple[bytes, ...]) -> bytes:
    """The canonical spelling of a path: every segment encoded, upper-case hexadecimal, nothing encoded that need not be.

    Two targets have the same canonical spelling exactly if they have the same segments.
    """
    return b"/" + "/".join(quote_from_bytes(segment, _UNQUOTED) for segment in segments).encode("ascii")


def _resolve(written: tuple[bytes, ...]) -> tuple[bytes, ...]:
    if _DOTS.isdisjoint(written):
        return written
    kept: list[bytes] = []
    for segment in written:
        if segment == b"..":
            if not kept:
                raise RequestRefused(400, "path-above-root")
            kept.pop()
        elif segment != b".":
            kept.append(segment)
    if written[-1] in _DOTS:
        kept.append(b"")  # "/a/." and "/a/b/.." name the directory /a/
    return tuple(kept)
