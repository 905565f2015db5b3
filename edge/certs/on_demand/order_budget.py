"""How many certificates are ordered on demand: for each registrable domain in a week, and for all in an hour.

Kept in `limits/on-demand.json`: a keeper that is restarted again and again does not get a new budget each time, and nodes that
share a storage share the budget.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from edge.certs.on_demand.budget import Budget, Level
from edge.config.on_demand_schema import WEEK, OnDemand
from edge.errors import StorageError
from edge.storage.contract import Storage
from edge.telemetry.logs import get_logger

KEY: Final = "limits/on-demand.json"

ALL: Final = ""
"""The key of the budget that counts every order."""

HOUR: Final = 3600.0

MOST_DOMAINS: Final = 5_000
"""Domains with orders in the last week: 50 an hour are 8,400 at most. Together 250 KB, within what storage takes as one value."""

log = get_logger("certs")


class _Kept(Struct, frozen=True):
    """What is on disk. Moments are POSIX times."""

    hour: dict[str, Level] = {}
    week: dict[str, Level] = {}


class OrderBudget:
    """The budget of one configuration."""

    def __init__(self, settings: OnDemand, storage: Storage, now: float) -> None:
        self._storage = storage
        self._hour = Budget(settings.orders_per_hour, HOUR, 1)
        self._week = Budget(settings.orders_per_domain, WEEK, MOST_DOMAINS)
        self._is_saved = True
        self._restore(now)

    def take(self, domain: str, now: float) -> float:
        """Take one order for a name of `domain`; 0.0, or the seconds to wait before asking again when there is none."""
        if self._is_saved:  # other nodes may have taken some
            self._restore(now)
        wait = max(self._hour.wait(ALL, now), self._week.wait(domain, now))
        if wait <= 0.0:
            self._hour.take(ALL, now)
            self._week.take(domain, now)
            self._week.tidy(now)
            self._save()
        return wait

    def _restore(self, now: float) -> None:
        kept = self._load()
        if kept is not None:
            self._hour.restore(kept.hour, now)
            self._week.restore(kept.week, now)

    def _load(self) -> _Kept | None:
        try:
            value = self._storage.load(KEY)
            return _Kept() if value is None else msgspec.json.decode(value, type=_Kept)
        except (StorageError, msgspec.DecodeError, UnicodeDecodeError) as exc:
            log.warning("budget for names on demand forgotten", cause=str(exc))
            return None

    def _save(self) -> None:
        try:
            self._storage.store(KEY, msgspec.json.encode(_Kept(self._hour.levels, self._week.levels)))
            self._is_saved = True
        except StorageError as exc:
            self._is_saved = False
            log.warning("budget for names on demand not saved", cause=str(exc))
