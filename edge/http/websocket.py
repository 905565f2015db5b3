"""The WebSocket handshake (RFC 6455 §4, RFC 8441). Pure.

A handshake is for one connection: the visitor's key is answered by the engine that reads it, and the origin gets a key of
our own. So an HTTP/2 visitor, who sends no key, and an HTTP/1.1 origin, which wants one, are joined like any others.
"""

from __future__ import annotations

import binascii
import hashlib
import re
import secrets
from typing import Final

from edge.http.message import Fields

WEBSOCKET: Final = b"websocket"
"""The only protocol that edge leaves HTTP for. Never `h2c`: that would be a tunnel past every rule of the proxy."""

VERSION: Final = b"13"
"""RFC 6455 §4.1. There has been no other since 2011."""

_KEY: Final = b"sec-websocket-key"
_VERSION: Final = b"sec-websocket-version"
_ACCEPT: Final = b"sec-websocket-accept"

_OF_ONE_CONNECTION: Final = frozenset((_KEY, _VERSION, _ACCEPT))
"""Handshake fields that do not cross edge; protocols and extensions do, because the two ends agree on them."""

_IS_KEY: Final = re.compile(rb"[A-Za-z0-9+/]{21}[AQgw]==").fullmatch
"""Base64 of exactly 16 bytes."""

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def new_key() -> bytes:
    """A `Sec-WebSocket-Key`: 16 random bytes in Base64."""
    return binascii.b2a_base64(secrets.token_bytes(16), newline=False)


def accept_of(key: bytes) -> bytes:
    """The `Sec-WebSocket-Accept` that proves that a server has understood `key` (RFC 6455 §4.2.2)."""
    digest = hashlib.sha1(key + _GUID, usedforsecurity=False).digest()
    return binascii.b2a_base64(digest, newline=False)


def has_version(fields: Fields) -> bool:
    """Whether the version is named exactly once and is ours."""
    return [value for name, value in fields if name == _VERSION] == [VERSION]


def key_of(fields: Fields) -> bytes | None:
    """The key of a client's handshake, or None unless there is exactly one and it is well-formed."""
    keys = [value for name, value in fields if name == _KEY]
    return keys[0] if len(keys) == 1 and _IS_KEY(keys[0]) else None


def is_accepted(fields: Fields, accept: bytes) -> bool:
    """Whether a 101 proves that the server meant our key."""
    return [value for name, value in fields if name == _ACCEPT] == [accept]


def handshake_fields(fields: Fields, key: bytes) -> Fields:
    """A request's fields as a handshake with our own `key` for an HTTP/1.1 origin."""
    return (
        *crossing(fields),
        (b"connection", b"upgrade"),
        (b"upgrade", WEBSOCKET),
        (_VERSION, VERSION),
        (_KEY, key),
    )


def answer_fields(request_fields: Fields) -> Fields:
    """What an HTTP/1.1 server adds to its 101; the request has passed `key_of`."""
    return ((b"connection", b"upgrade"), (b"upgrade", WEBSOCKET), (_ACCEPT, accept_of(key_of(request_fields) or b"")))


def crossing(fields: Fields) -> Fields:
    """The fields that are not about one connection's handshake."""
    return tuple(field for field in fields if field[0] not in _OF_ONE_CONNECTION)
