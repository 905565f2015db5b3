"""Read server name and ALPN from a ClientHello without consuming it (RFC 8446 §4.1.2, RFC 6066 §3, RFC 7301 §3.1).

OpenSSL shows Python the server name but not the ALPN list, and a TLS-ALPN-01 answer must reach nobody but the CA. So while
such a challenge is pending the first bytes of a connection are peeked at and read here. Pure: bytes in, a value out.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

MAX_CLIENT_HELLO: Final = 16 * 1024
"""A ClientHello larger than one record's worth is not looked at; it takes the ordinary path."""

_HANDSHAKE_RECORD: Final = 22
_CLIENT_HELLO: Final = 1
_SERVER_NAME: Final = 0
_SUPPORTED_GROUPS: Final = 10
_ALPN: Final = 16


class ClientHello(Struct, frozen=True):
    """What a client offers: its server name in lower case ("" when absent), its ALPN protocols and its key exchange groups (RFC
    8446 §4.2.7) in order."""

    server_name: str = ""
    alpn: tuple[bytes, ...] = ()
    groups: tuple[int, ...] = ()


class IncompleteError(Exception):
    """More bytes are needed."""


class MalformedError(Exception):
    """Not a ClientHello; OpenSSL may say so to the peer."""


class _Reader:
    """A cursor over bytes; running over the end is malformed input."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def __bool__(self) -> bool:
        return self._position < len(self._data)

    def take(self, count: int) -> bytes:
        end = self._position + count
        if end > len(self._data):
            raise MalformedError
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def integer(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, length_size: int) -> _Reader:
        """A vector whose length field has `length_size` bytes (RFC 8446 §3.4)."""
        return _Reader(self.take(self.integer(length_size)))

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._position)


def parse_client_hello(data: bytes) -> ClientHello:
    """The offer in the first bytes of a TLS connection.

    Raises: IncompleteError when `data` is a proper beginning, MalformedError when it is something else.
    """
    body = _Reader(_handshake_message(data))
    body.take(2 + 32)  # legacy_version, random
    body.vector(1)  # legacy_session_id
    body.vector(2)  # cipher_suites
    body.vector(1)  # legacy_compression_methods
    server_name = ""
    alpn: tuple[bytes, ...] = ()
    groups: tuple[int, ...] = ()
    extensions = body.vector(2) if body else _Reader(b"")
    while extensions:
        kind, content = extensions.integer(2), extensions.vector(2)
        if kind == _SERVER_NAME:
            server_name = _server_name(content)
        elif kind == _ALPN:
            alpn = _protocols(content)
        elif kind == _SUPPORTED_GROUPS:
            groups = _groups(content)
    return ClientHello(server_name, alpn, groups)


def _handshake_message(data: bytes) -> bytes:
    """The body of the ClientHello, put together from as many records as it takes."""
    message = bytearray()
    position = 0
    while True:
        header = data[position : position + 5]
        if header[:1] not in (b"", bytes([_HANDSHAKE_RECORD])) or header[1:2] not in (b"", b"\x03"):
            raise MalformedError
        if len(header) < 5:
            raise IncompleteError
        length = int.from_bytes(header[3:5], "big")
        if not 0 < length <= MAX_CLIENT_HELLO:
            raise MalformedError
        message += data[position + 5 : position + 5 + length]
        position += 5 + length
        if message and message[0] != _CLIENT_HELLO:
            raise MalformedError
        if len(message) >= 4:
            size = int.from_bytes(message[1:4], "big")
            if size > MAX_CLIENT_HELLO:
                raise MalformedError
            if len(message) >= 4 + size:
                return bytes(message[4 : 4 + size])
        if position > len(data):
            raise IncompleteError


def _server_name(content: _Reader) -> str:
    names = content.vector(2)
    while names:
        kind, name = names.integer(1), names.vector(2).rest()
        if kind == 0:
            return name.decode("ascii", "replace").lower()
    return ""


def _protocols(content: _Reader) -> tuple[bytes, ...]:
    protocols = content.vector(2)
    found = []
    while protocols:
        found.append(protocols.vector(1).rest())
    return tuple(found)


def _groups(content: _Reader) -> tuple[int, ...]:
    groups = content.vector(2)
    found = []
    while groups:
        found.append(groups.integer(2))
    return tuple(found)
