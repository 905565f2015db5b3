"""What a stored response is found by: what the origin was asked, and what it says that its answer depends on.

The key holds everything of a request that reaches the origin under any name and is not covered by Vary: scheme, authority
and target. The target counts byte for byte. Two spellings of one resource are stored twice rather than one for the other: what
one program takes for the same path or query, another takes for two, and that difference is how caches are poisoned. Fields that
an origin could read without saying so in Vary are removed or written anew on the way to it (`edge.http.forwarding`).
"""

from __future__ import annotations

import re
from typing import Final

from edge.http.message import Request
from edge.http.negotiation import parse_accept_encoding

Vary = tuple[bytes, ...]

_BLANKS = re.compile(rb"[\t ]*,[\t ]*")
_NO_FIELD: Final = b"\xff"
"""Stands for a field that is not there; no field value is this byte alone, in UTF-8 or ASCII."""


def primary_key(request: Request) -> bytes:
    """`https://example.com/path?query`: no part of it can hold what divides it from the next."""
    return request.scheme + b"://" + request.authority + request.target


def sibling_key(request: Request, reference: bytes) -> bytes | None:
    """The key of what a Location or Content-Location names, if it has the same origin (RFC 9111 §4.4)."""
    origin = request.scheme + b"://" + request.authority
    reference = reference.partition(b"#")[0]
    if reference.startswith(b"/") and not reference.startswith(b"//"):
        return origin + reference
    if reference.startswith(origin + b"/"):
        return reference
    return None


def variant_key(request: Request, vary: Vary) -> bytes:
    """The values of the fields named in Vary, each normalised without changing its meaning (RFC 9111 §4.1)."""
    return b"\n".join(name + b":" + _value(request, name) for name in vary)


def _value(request: Request, name: bytes) -> bytes:
    value = request.combined(name)
    if value is None:
        return _NO_FIELD
    if name == b"accept-encoding":
        weights = parse_accept_encoding(value)
        return b",".join(b"%s=%g" % (coding.encode(), weights[coding]) for coding in sorted(weights))
    return _BLANKS.sub(b",", value.strip(b"\t "))


def without_parameters(target: bytes, ignored: frozenset[bytes]) -> bytes:
    """The target without query parameters of these names. What is left stays byte for byte, also where nothing was removed.

    The origin gets the same shortened target: what the key does not see must not change the answer.
    """
    path, mark, query = target.partition(b"?")
    if not mark:
        return target
    parts = query.split(b"&")
    kept = [part for part in parts if part.partition(b"=")[0] not in ignored]
    if len(kept) == len(parts):
        return target
    return path + b"?" + b"&".join(kept) if kept else path
