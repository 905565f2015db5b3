"""The Cache-Status field: what a cache made of a request, for whoever looks at the response (RFC 9211)."""

from __future__ import annotations

from typing import Final

from edge.http.message import Fields

NAME: Final = b"edge"
"""What this cache calls itself."""


def hit(left: float) -> bytes:
    """Answered from the store, fresh for `left` seconds more; negative: served stale."""
    return b"%s; hit; ttl=%d" % (NAME, left)


def forwarded(why: bytes, *, status: int = 0, stored: bool = False, collapsed: bool = False) -> bytes:
    """Asked the origin. `why`: uri-miss, vary-miss, stale, bypass, method, partial; `status` is what a revalidation brought."""
    text = b"%s; fwd=%s" % (NAME, why)
    if status:
        text += b"; fwd-status=%d" % status
    if stored:
        text += b"; stored"
    return text + b"; collapsed" if collapsed else text


def with_cache_status(fields: Fields, member: bytes) -> Fields:
    """The fields with `member` behind what caches nearer to the origin said (RFC 9211 §2)."""
    said = [value for name, value in fields if name == b"cache-status"]
    kept = [line for line in fields if line[0] != b"cache-status"] if said else fields
    return (*kept, (b"cache-status", b", ".join((*said, member))))
