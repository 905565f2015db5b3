"""The priority of a response as its client wishes it (RFC 9218)."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from edge.http.message import Field

_URGENCIES: Final = {f"u={urgency}".encode(): urgency for urgency in range(8)}


class Priority(Struct, frozen=True, gc=False):
    """`urgency` 0 (first) to 7 (last). `incremental`: worth having in pieces, so it takes turns with others."""

    urgency: int = 3
    incremental: bool = True


DEFAULT_PRIORITY: Final = Priority()
"""For clients that say nothing. The RFC would send such responses one after the other; those are programs that share a
connection between users, so they take turns."""


def parse_priority(value: bytes) -> Priority:
    """The dictionary `u=0..7, i`. What is not understood is left at its default: a wish is never an error (RFC 9218 §4)."""
    urgency, incremental = 3, False
    for member in value.split(b","):
        item = member.strip(b" \t")
        urgency = _URGENCIES.get(item, urgency)
        if item in (b"i", b"i=?1"):
            incremental = True
        elif item == b"i=?0":
            incremental = False
    return Priority(urgency, incremental)


def priority_of(fields: tuple[Field, ...]) -> Priority:
    """The wish in a request's `priority` field."""
    for name, value in fields:
        if name == b"priority":
            return parse_priority(value)
    return DEFAULT_PRIORITY
