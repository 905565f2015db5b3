"""The file of a stored response, as bytes. Pure.

    magic ─ CRC-32 of the rest ─ length of the head ─ head (MessagePack) ─ body, if it is short

A long body has a file of its own, named in the head, so that a 304 can renew the head without copying the body. Where responses
vary, the file under the primary key is a `Signpost`: it says which fields of a request lead to the response. Its `nonce` is part
of the way, so a signpost that is made anew after an invalidation leads to nothing that was stored before.
"""

from __future__ import annotations

import secrets
import struct
import zlib
from typing import Final

import msgspec
from msgspec import Struct

from edge.http.caching import Lifetime
from edge.http.message import Fields

SHORT: Final = 64 * 1024
"""Bytes of a body that lies in the file of its head: one read brings both."""

MAX_FILE: Final = 256 * 1024
"""Bytes of a file that is read whole: a short body, and a head as large as an origin may send."""

SLICE: Final = 64 * 1024
"""Bytes of a long body that have one checksum, and are read at a time."""

_MAGIC: Final = b"edge-cache-1\n\0\0\0"
_PREFIX: Final = struct.Struct("<16sII")


class Response(Struct, frozen=True, tag="response"):
    """A stored response to `key`, for requests whose fields are those of `variant`, asked for at `asked_at` (POSIX seconds).

    `length` are the bytes of the body. With `file` they are in a file of that name, and `checksums` has a CRC-32 for each
    SLICE of them, so that what a disk has changed is never sent.
    """

    key: bytes
    variant: bytes
    site: str
    status: int
    fields: Fields
    lifetime: Lifetime
    asked_at: float
    length: int
    for_all: bool = False
    file: bytes = b""
    checksums: tuple[int, ...] = ()

    def field(self, name: bytes) -> bytes | None:
        """The value of the first field line called `name`, or None."""
        for key, value in self.fields:
            if key == name:
                return value
        return None


class Signpost(Struct, frozen=True, tag="signpost"):
    """Which request fields choose among the responses to `key`."""

    key: bytes
    vary: tuple[bytes, ...]
    nonce: bytes
    asked_at: float
    site: str = ""

    @classmethod
    def new(cls, key: bytes, vary: tuple[bytes, ...], asked_at: float, site: str) -> Signpost:
        """One that leads to nothing yet."""
        return cls(key, vary, secrets.token_bytes(16), asked_at, site)


Head = Response | Signpost

_encode = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder(Head)


def encode_record(head: Head, body: bytes = b"") -> bytes:
    """The file."""
    encoded = _encode(head)
    rest = struct.pack("<I", len(encoded)) + encoded + body
    return _PREFIX.pack(_MAGIC, zlib.crc32(rest), len(rest)) + rest


def decode_record(data: bytes) -> tuple[Head, bytes] | None:
    """Head and short body of a file; None for one that is cut short, changed, or none of ours."""
    if len(data) < _PREFIX.size + 4:
        return None
    magic, checksum, length = _PREFIX.unpack_from(data)
    rest = data[_PREFIX.size :]
    if magic != _MAGIC or length != len(rest) or zlib.crc32(rest) != checksum:
        return None
    (head_length,) = struct.unpack_from("<I", rest)
    try:
        head = _decoder.decode(rest[4 : 4 + head_length])
    except msgspec.DecodeError:
        return None
    body = rest[4 + head_length :]
    if isinstance(head, Response) and not head.file and len(body) != head.length:
        return None
    return head, body
