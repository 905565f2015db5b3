"""What a `Connection` field says: whether to stay, and which other fields stay home (RFC 9110 §7.6.1, RFC 9112 §9.3).

A sender may name any field as meant for this connection only, and an intermediary removes it. Attackers name fields that the
next hop relies on (`Connection: X-Forwarded-For`), so some fields cannot be named away.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from edge.http.message import Fields

_PROTECTED: Final = frozenset(
    (b"host", b"content-length", b"transfer-encoding", b"forwarded", b"authorization", b"cookie")
)
_PROTECTED_PREFIXES: Final = (b"x-forwarded-", b"cache-")


def parse_connection(values: Iterable[bytes]) -> frozenset[bytes]:
    """The options of all `Connection` field lines of a head, in lower case; empty list elements are ignored."""
    options = {option.strip(b" \t") for option in b",".join(values).lower().split(b",")}
    options.discard(b"")
    return frozenset(options)


def is_persistent(version: bytes, options: frozenset[bytes]) -> bool:
    """Whether the sender keeps the connection: HTTP/1.1 unless it says close, HTTP/1.0 only if it says keep-alive."""
    if b"close" in options:
        return False
    return version == b"1.1" or b"keep-alive" in options


def without_named(fields: Fields, options: frozenset[bytes]) -> Fields:
    """The fields that `Connection` does not name; protected ones stay although named."""
    named = {option for option in options if option not in _PROTECTED and not option.startswith(_PROTECTED_PREFIXES)}
    return tuple(field for field in fields if field[0] not in named)
