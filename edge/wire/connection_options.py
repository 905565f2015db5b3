"""What `Connection` and `TE` say: whether to stay, which other fields stay home, and whether trailers are welcome (RFC 9110
§7.6.1 and §10.1.4, RFC 9112 §9.3).

A sender may name any field as meant for this connection only, and an intermediary removes it. Attackers name fields that the
next hop relies on (`Connection: X-Forwarded-For`), so some fields cannot be named away.
"""

from __future__ import annotations

from typing import Final

from edge.http.message import HOP_BY_HOP, Fields

_PROTECTED: Final = frozenset(
    (b"host", b"content-length", b"transfer-encoding", b"forwarded", b"authorization", b"cookie")
)
_PROTECTED_PREFIXES: Final = (b"x-forwarded-", b"cache-")

_NO_FIELDS: Final = HOP_BY_HOP | {b"close"}
"""Options that are no field names, or name fields that never cross edge anyway."""

_NONE: Final[frozenset[bytes]] = frozenset()
_COMMON: Final = {option: frozenset((option,)) for option in (b"keep-alive", b"close")}


def parse_connection(values: list[bytes] | None) -> frozenset[bytes]:
    """The options of all `Connection` field lines of a head, in lower case; empty list elements are ignored."""
    if values is None:
        return _NONE
    text = b",".join(values).lower()
    return _COMMON.get(text) or frozenset(option.strip(b" \t") for option in text.split(b",")) - {b""}


def is_persistent(version: bytes, options: frozenset[bytes]) -> bool:
    """Whether the sender keeps the connection: HTTP/1.1 unless it says close, HTTP/1.0 only if it says keep-alive."""
    if b"close" in options:
        return False
    return version == b"1.1" or b"keep-alive" in options


def accepts_trailers(values: list[bytes]) -> bool:
    """Whether `trailers` is among what the `TE` field lines of a head list."""
    return b"trailers" in [each.strip(b" \t") for each in b",".join(values).lower().split(b",")]


def without_named(fields: Fields, options: frozenset[bytes]) -> Fields:
    """The fields that `Connection` does not name; protected ones stay although named."""
    named = {option for option in options - _NO_FIELDS - _PROTECTED if not option.startswith(_PROTECTED_PREFIXES)}
    return tuple(field for field in fields if field[0] not in named) if named else fields
