"""Trailer fields (RFC 9110 §6.5): what an origin may say behind the body, as a visitor gets to hear it. Pure.

A receiver may merge trailers into the head that it has acted upon long ago. So whatever frames, routes, authenticates or
describes the message must not stand there (§6.5.1): those fields are dropped, and the rest of the section passes. Broken
syntax is another matter: who sends it is not understood, and the response fails.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from edge.errors import RequestRefused
from edge.http.forwarding import Verdicts, reaches_visitor
from edge.http.limits import MAX_FIELDS, MAX_TRAILERS
from edge.http.message import Field, Fields
from edge.http.validation import judge_field

FIELD_OVERHEAD: Final = 32
"""What a field counts for besides its bytes, so that many small ones are bounded too (RFC 9113 §6.5.2)."""

FORBIDDEN: Final = frozenset((
    b"content-length",  # framing and routing
    b"host",
    b"authorization",  # authentication
    b"cookie",
    b"set-cookie",
    b"www-authenticate",
    b"authentication-info",
    b"proxy-authentication-info",
    b"cache-control",  # controls that must be known before the body
    b"expect",
    b"max-forwards",
    b"pragma",
    b"range",
    b"age",
    b"date",
    b"expires",
    b"location",
    b"retry-after",
    b"vary",
    b"content-encoding",  # how to read the body
    b"content-type",
    b"content-range",
    b"content-disposition",
    b"content-location",
))  # fmt: skip
"""Beside the hop-by-hop fields and those that never reach a visitor."""


def may_trail(name: bytes) -> bool:
    """Whether a field called `name` (any case) may reach a visitor behind the body."""
    lower = name.lower()
    return lower not in FORBIDDEN and not lower.startswith(b"if-") and reaches_visitor(lower)


_may_trail: Final = Verdicts(may_trail)


def clean_trailers(lines: Iterable[Field]) -> Fields:
    """Field lines of a trailer section as they may be passed on: names in lower case, forbidden ones left out.

    Raises: RequestRefused for a section with bad syntax or above MAX_TRAILERS; only its reason is of use.
    """
    kept: list[Field] = []
    size = 0
    for raw, text in lines:
        name, value = raw.lower(), text.strip(b" \t")
        judge_field(name, value)
        size += len(name) + len(value) + FIELD_OVERHEAD
        if size > MAX_TRAILERS or len(kept) == MAX_FIELDS:
            raise RequestRefused(431, "trailers-too-large")
        if _may_trail[name]:
            kept.append((name, value))
    return tuple(kept)
