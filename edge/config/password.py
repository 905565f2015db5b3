"""Passwords are kept as scrypt hashes (RFC 7914) in the PHC string format: `$scrypt$ln=14,r=8,p=1$<salt>$<hash>`.

One guess costs 16 MiB and some 40 ms of a core: an attacker with the configuration file is slowed down, and so is whoever calls
`is_right` on an event loop. Call it in a thread; hashlib lets other threads run meanwhile.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from typing import Final

from msgspec import Struct

LOG_N: Final = 14
BLOCK: Final = 8
PARALLEL: Final = 1
"""The parameters of new hashes: RFC 7914's own for interactive logins."""

MAX_LOG_N: Final = 17
MAX_BLOCK: Final = 8
MAX_PARALLEL: Final = 4
"""What a hash made elsewhere may ask for: 128 MiB for one guess. More would let a typed digit stop a worker."""

MAX_PASSWORD: Final = 1024
"""Bytes; longer ones are never right, so nobody makes us hash a megabyte."""

_PHC = re.compile(
    r"\$scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,2}),p=([0-9]{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{43})"
)


class PasswordHash(Struct, frozen=True):
    """A parsed hash."""

    log_n: int
    block: int
    parallel: int
    salt: bytes
    digest: bytes

    def __repr__(self) -> str:
        return "<PasswordHash>"


def hash_password(password: str) -> str:
    """A new hash, for the configuration file."""
    salt = secrets.token_bytes(16)
    digest = _derive(password.encode(), LOG_N, BLOCK, PARALLEL, salt)
    return f"$scrypt$ln={LOG_N},r={BLOCK},p={PARALLEL}${_encode(salt)}${_encode(digest)}"


def parse_hash(text: str) -> PasswordHash:
    """Raises: ValueError with one sentence that does not repeat `text`, which may be a password."""
    match = _PHC.fullmatch(text)
    if not match:
        raise ValueError("this is no password hash; make one with: edge hash-password")
    log_n, block, parallel = (int(number) for number in match.group(1, 2, 3))
    if not (10 <= log_n <= MAX_LOG_N and 1 <= block <= MAX_BLOCK and 1 <= parallel <= MAX_PARALLEL):
        raise ValueError("this password hash costs too little or too much; make one with: edge hash-password")
    try:
        salt, digest = _decode(match.group(4)), _decode(match.group(5))
    except binascii.Error:
        raise ValueError("this password hash is damaged; make one with: edge hash-password") from None
    return PasswordHash(log_n, block, parallel, salt, digest)


def is_right(password: bytes, known: PasswordHash) -> bool:
    """Whether `password` has this hash. Takes the same time for every password of this hash's cost."""
    digest = _derive(password[:MAX_PASSWORD], known.log_n, known.block, known.parallel, known.salt)
    return hmac.compare_digest(digest, known.digest) and len(password) <= MAX_PASSWORD


def _derive(password: bytes, log_n: int, block: int, parallel: int, salt: bytes) -> bytes:
    memory = 128 * block * (2**log_n + parallel + 2)  # RFC 7914 §2: V, B and a block to work in
    return hashlib.scrypt(password, salt=salt, n=2**log_n, r=block, p=parallel, maxmem=2 * memory, dklen=32)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii").rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
