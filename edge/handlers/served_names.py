"""Which of our sites a request is for: its authority without the port, exactly or by a wildcard for one label (RFC 9525 §6.3).

The port is not looked at: behind a port mapping it is not the one we listen on, and no name is ours on one port only.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final, Generic, TypeVar

from msgspec import Struct

from edge.http.validation import split_authority

T_co = TypeVar("T_co", covariant=True)

MEMO_AUTHORITIES: Final = 4096
"""Distinct authorities remembered; visitors choose them, so the memo is bounded."""


class Served(Struct, Generic[T_co], frozen=True):
    """A name of ours as a visitor wrote it: `name` without brackets, `host` as it stands in a URL, and whose it is."""

    name: str
    host: bytes
    site: T_co


class ServedNames(Generic[T_co]):
    """All names that are served, each with its site."""

    def __init__(self, sites: Mapping[str, T_co]) -> None:
        self._exact = {name: site for name, site in sites.items() if not name.startswith("*.")}
        self._wildcards = {name[2:]: site for name, site in sites.items() if name.startswith("*.")}
        self._memo: dict[bytes, Served[T_co] | None] = {}

    def find(self, authority: bytes) -> Served[T_co] | None:
        """Whose `authority` (valid, lower-case) is, or None."""
        try:
            return self._memo[authority]
        except KeyError:
            pass
        if len(self._memo) >= MEMO_AUTHORITIES:
            self._memo.clear()
        found = self._memo[authority] = self._find(authority)
        return found

    def _find(self, authority: bytes) -> Served[T_co] | None:
        name = canonical(split_authority(authority)[0])
        site = self._exact.get(name)
        if site is None:
            site = self._wildcards.get(name.partition(".")[2])
        if site is None:
            return None
        return Served(name, b"[%b]" % name.encode() if ":" in name else name.encode(), site)


def canonical(host: str) -> str:
    """An IPv6 address in its shortest form (RFC 5952); any other host as it is."""
    if ":" not in host:
        return host
    try:
        return str(ipaddress.IPv6Address(host))
    except ValueError:
        return host
