"""Which records edge has put into DNS and not yet taken away: `dns/records.json`.

Written before a record is made, so that nothing is forgotten when the process dies; whoever is left over is removed later.
Only advice: a disk that takes no writes costs a stray TXT record at most, and never an attempt.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from edge.certs.dns.provider import TXTRecord
from edge.errors import StorageError
from edge.storage.contract import Storage
from edge.telemetry.logs import get_logger

KEY = "dns/records.json"

STALE_AFTER = 86400.0
"""Seconds. The order of an attempt that died is resumed long before, and then finds its record in place."""

log = get_logger("certs")


class Placed(Struct, frozen=True):
    """One record and the POSIX time at which it was made."""

    record: TXTRecord
    at: float


class RecordLedger:
    """All records in place, also those of earlier processes."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._placed: dict[TXTRecord, float] | None = None

    def add(self, record: TXTRecord, now: float) -> None:
        """It is about to be made."""
        self._placed = None  # other processes add theirs
        self._loaded()[record] = now
        self._save()

    def remove(self, record: TXTRecord) -> None:
        """It is gone."""
        self._placed = None
        self._loaded().pop(record, None)
        self._save()

    def stale(self, now: float) -> list[TXTRecord]:
        """Records that no attempt can need any more. Times after `now` (the clock was wrong) count as stale, too."""
        return [record for record, at in self._loaded().items() if not now - STALE_AFTER <= at <= now]

    def _loaded(self) -> dict[TXTRecord, float]:
        if self._placed is None:
            self._placed = {placed.record: placed.at for placed in self._load()}
        return self._placed

    def _load(self) -> list[Placed]:
        try:
            value = self._storage.load(KEY)
            return [] if value is None else msgspec.json.decode(value, type=list[Placed])
        except (StorageError, msgspec.DecodeError, UnicodeDecodeError) as exc:
            log.warning("list of DNS records lost", cause=str(exc))
            return []

    def _save(self) -> None:
        placed = [Placed(record, at) for record, at in self._loaded().items()]
        try:
            self._storage.store(KEY, msgspec.json.encode(placed))
        except StorageError as exc:
            log.warning("list of DNS records not saved", cause=str(exc))
