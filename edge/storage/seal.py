"""Values sealed before they leave this machine: AES-256-GCM with a key that the server never sees.

A sealed value is a version byte, a random nonce of 96 bits and the ciphertext. The storage key is authenticated with it, so a
value that was moved to another place, or changed, is not opened. What this does not hide: names, sizes and times; and whoever
can write to the server can bring back an older value or delete one.
"""

from __future__ import annotations

import base64
import binascii
import os
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from edge.errors import StorageError

VERSION = b"\x01"
NONCE_BYTES = 12
KEY_BYTES = 32
_CONTEXT = b"edge storage 1"


class Seal(Protocol):
    """How values look on the server."""

    def close(self, key: str, value: bytes) -> bytes:
        """The form in which `value` is kept at `key`."""

    def open(self, key: str, data: bytes) -> bytes:
        """The value. Raises: StorageError when it was not closed with this seal at this key."""


class NoSeal:
    """Values are kept as they are."""

    def close(self, key: str, value: bytes) -> bytes:
        """`value` itself."""
        return value

    def open(self, key: str, data: bytes) -> bytes:
        """`data` itself."""
        return data


class KeySeal:
    """Values are readable only for those who have `secret`: 32 random bytes in base64."""

    def __init__(self, secret: str) -> None:
        derived = HKDF(SHA256(), KEY_BYTES, salt=None, info=_CONTEXT).derive(_key_bytes(secret))
        self._cipher = AESGCM(derived)

    def close(self, key: str, value: bytes) -> bytes:
        """Sealed for `key`."""
        nonce = os.urandom(NONCE_BYTES)
        return VERSION + nonce + self._cipher.encrypt(nonce, value, key.encode())

    def open(self, key: str, data: bytes) -> bytes:
        """See `Seal.open`."""
        nonce, sealed = data[1 : 1 + NONCE_BYTES], data[1 + NONCE_BYTES :]
        try:
            if data[:1] != VERSION:
                raise InvalidTag
            return self._cipher.decrypt(nonce, sealed, key.encode())
        except (InvalidTag, ValueError) as exc:
            raise StorageError(
                f"{key} in the storage cannot be opened with this storage key, or was tampered with"
            ) from exc


def _key_bytes(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        # Nothing of what was found is shown: it may be a secret of another kind.
        raise StorageError("the storage key is not 32 bytes in base64; make one with: openssl rand -base64 32")
    return key
