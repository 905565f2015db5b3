"""From the segments of a request's path to the name of a file beneath a mount's root.

What is no plain name is answered with 404 before the disk is asked: an empty segment (`//`), a slash that came as `%2F`,
bytes that are not UTF-8, and anything hidden. A hidden file (`.env`, `.git/config`) was never meant for visitors; the one
exception is `/.well-known` at the root of the site (RFC 8615).
"""

from __future__ import annotations

from typing import Final

from edge.errors import HTTPError

INDEX: Final = b"index.html"
"""Answers for the directory that it is in."""

_WELL_KNOWN: Final = b".well-known"


def file_name(segments: tuple[bytes, ...], prefix: tuple[bytes, ...]) -> bytes:
    """The name, relative and with slashes between its segments; a path that ends in a slash names the directory's index.

    `segments` is resolved (`edge.http.path`), `prefix` are the mount's own segments. The path of the mount itself, without
    a slash behind it, has the name b"".

    Raises: HTTPError 404.
    """
    depth = len(prefix)
    if segments[:depth] != prefix:
        raise HTTPError(404, "outside-mount")
    rest = segments[depth:]
    if rest and not rest[-1]:
        rest = (*rest[:-1], INDEX)
    hidden_from = 1 if rest[:1] == (_WELL_KNOWN,) and not prefix else 0
    if not all(map(_is_plain, rest)) or any(segment.startswith(b".") for segment in rest[hidden_from:]):
        raise HTTPError(404, "static-name")
    return b"/".join(rest)


def _is_plain(segment: bytes) -> bool:
    if not segment or b"/" in segment:
        return False
    try:
        segment.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
