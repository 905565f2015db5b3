"""What is served for each name right now, and the rule that nothing good is replaced by something lesser.

Stands between the manager and the `Publisher`: a placeholder is published only for names that have nothing else, and a
name is withdrawn only when no part of the configuration wants it.
"""

from __future__ import annotations

from typing import Protocol

from edge.certs.placeholder import make_placeholder
from edge.certs.publisher import Publisher
from edge.tls.certified_key import CertifiedKey


class Shelf(Protocol):
    """Where a record puts what is to be served."""

    def replace(self, certified_key: CertifiedKey) -> None:
        """Serve this for its names from now on."""

    def stand_in(self, names: tuple[str, ...], now: float) -> None:
        """There is no real certificate for these names."""


class ServedNames:
    """Name → certified key in service."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._by_name: dict[str, CertifiedKey] = {}

    def replace(self, certified_key: CertifiedKey) -> None:
        """Serve this for its names from now on. Costs nothing when it is served already."""
        if all(self._by_name.get(name) == certified_key for name in certified_key.names):
            return
        self._by_name.update(dict.fromkeys(certified_key.names, certified_key))
        self._publisher.replace(certified_key)

    def stand_in(self, names: tuple[str, ...], now: float) -> None:
        """A fresh placeholder for those of `names` that have no real certificate."""
        bare = tuple(name for name in names if not self.is_real(name))
        if bare:
            self.replace(make_placeholder(bare, now))

    def is_real(self, name: str) -> bool:
        """Whether something better than a placeholder is served for `name`."""
        served = self._by_name.get(name)
        return served is not None and served.kind != "placeholder"

    def keep_only(self, wanted: set[str]) -> None:
        """Withdraw every other name."""
        gone = tuple(name for name in self._by_name if name not in wanted)
        for name in gone:
            del self._by_name[name]
        if gone:
            self._publisher.withdraw_certificate(gone)
