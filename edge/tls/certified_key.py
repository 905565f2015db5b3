"""A leaf, its chain and the private key that fits: what a worker needs to serve some names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from msgspec import Struct


class CertifiedKey(Struct, frozen=True):
    """PEM chain (leaf first, root left out) and PEM private key, already checked to fit by whoever made the value.

    `names` are the names it is to be served for: lower-case A-labels, wildcards, IP addresses. `serial` is the leaf's serial
    number in hexadecimal. `not_after` is a POSIX time. `kind` says where it came from; a placeholder is self-signed and
    only stands in until the real one exists.
    """

    names: tuple[str, ...]
    chain: bytes
    key: bytes
    serial: str
    not_after: float
    kind: str = "acme"
    """acme | local | own | placeholder"""

    def __repr__(self) -> str:
        return f"<CertifiedKey {','.join(self.names)} {self.kind} {self.serial}>"


def coverage(names: tuple[str, ...]) -> Callable[[str], bool]:
    """`covers` for one set of names, made once and asked for every request."""
    if any(name.startswith("*.") for name in names):
        return partial(covers, names)
    return frozenset(names).__contains__


def covers(names: tuple[str, ...], host: str) -> bool:
    """Whether a certificate for `names` is valid for `host` (RFC 9525 §6.3): exactly, or by a wildcard for one label."""
    if host in names:
        return True
    _, dot, parent = host.partition(".")
    return bool(dot) and f"*.{parent}" in names
