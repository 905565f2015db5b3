"""The ledger: every order, issuance and failure, kept over restarts, so that budgets can be counted and history can be told.

    ledger/BEGIN-RANDOM.jsonl    one entry a line, oldest first; BEGIN is the UTC time of the first one

The storage knows no append, so a segment is replaced whole with each entry; it is small, and a new one begins when it is full
or a day old. A writer touches only segments that it has begun itself: several processes and nodes may write at the same
time without a lock. What is too old, or too much, goes a segment at a time.

Losing the ledger costs nothing but knowledge: trouble with the disk is logged, the entry stays in memory, and the next write
of the segment brings it along.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum

import msgspec
from msgspec import Struct

from edge.certs.budget import Tally
from edge.certs.renewal import DAY
from edge.errors import StorageError
from edge.storage.contract import Storage
from edge.telemetry.logs import get_logger

DIRECTORY = "ledger"

KEPT = 90 * DAY
"""A whole life of today's longest free certificate; budgets look back a week."""

LARGEST_SEGMENT = 64 * 1024
"""Bytes. Some three hundred entries; rewriting them takes a millisecond beside the fsync."""

LONGEST_SEGMENT = DAY
"""From the first entry of a segment to its last."""

MOST_SEGMENTS = 512
"""32 MiB at the most. Ten thousand names fill some 6 MiB in the week in which they are all ordered for the first time."""

_STAMP = "%Y%m%dT%H%M%SZ"

log = get_logger("certs")


class Event(StrEnum):
    """What happened."""

    ORDERED = "ordered"
    """The CA has made a new order."""
    ISSUED = "issued"
    FAILED = "failed"
    REVOKED = "revoked"
    IMPORTED = "imported"


class Entry(Struct, frozen=True, omit_defaults=True):
    """One line. `at` is a POSIX time; `names` are those of the certificate, for a failed validation those that failed."""

    at: float
    event: Event
    ca: str
    names: tuple[str, ...]
    phase: str = ""
    kind: str = ""
    """The class of a failure, as in `issuer.ErrorClass`."""
    cause: str = ""
    serial: str = ""
    exempt: bool = False
    """Asked for inside the CA's renewal window: counts against no limit (RFC 9773 §5 and the CA's promise)."""
    rehearsal: bool = False
    """It happened at the CA's test system."""


class Ledger:
    """What this process writes, and the tally of everything that is known. Read at the first use."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.counts: Counter[tuple[str, str, str]] = Counter()
        """Events that this process has added, by CA, event and kind of failure."""
        self._tally: Tally | None = None
        self._segment = ""
        self._begun = 0.0
        self._lines = bytearray()

    @property
    def tally(self) -> Tally:
        """What has been spent of each budget."""
        if self._tally is None:
            # Our own lines once more: a full disk may not have taken them.
            self._tally = tally_of([*self._load(), *parse_lines(bytes(self._lines))[0]])
        return self._tally

    def refresh(self) -> None:
        """Others have written: read again before the next question."""
        self._tally = None

    def add(self, entry: Entry) -> None:
        """Remember one event. Never raises for trouble with the disk."""
        count(self.tally, entry)
        self.counts[entry.ca, entry.event.value, entry.kind] += 1
        line = msgspec.json.encode(entry) + b"\n"
        is_full = len(self._lines) + len(line) > LARGEST_SEGMENT or not 0 <= entry.at - self._begun < LONGEST_SEGMENT
        if is_full or not self._segment:
            self._begin(entry.at)
        self._lines += line
        try:
            self._storage.store(self._segment, bytes(self._lines))
        except StorageError as exc:
            log.warning("ledger not saved", cause=str(exc))

    def _begin(self, now: float) -> None:
        self._segment = f"{DIRECTORY}/{_new_name(now)}"
        self._begun = now
        self._lines.clear()
        try:
            self._tidy(now)
        except StorageError as exc:
            log.warning("ledger not tidied", cause=str(exc))

    def _tidy(self, now: float) -> None:
        segments = self._storage.list(DIRECTORY)
        oldest = _new_name(max(now - KEPT - LONGEST_SEGMENT, 0.0))
        spare = segments[: max(len(segments) - MOST_SEGMENTS + 1, 0)]
        for name in {*spare, *(name for name in segments if name < oldest)}:
            self._storage.delete(f"{DIRECTORY}/{name}")

    def _load(self) -> list[Entry]:
        """Everything that can be read; segments with damaged lines are put aside, their good lines kept."""
        found: list[Entry] = []
        try:
            for name in self._storage.list(DIRECTORY):
                found += self._read(name)
        except StorageError as exc:
            log.warning("ledger unreadable, budgets are forgotten", cause=str(exc))
        return found

    def _read(self, name: str) -> list[Entry]:
        key = f"{DIRECTORY}/{name}"
        entries, damaged = parse_lines(self._storage.load(key) or b"")
        if damaged:
            log.warning("damaged lines of the ledger put aside", path=key, lines=damaged, check="see quarantine/")
            # The good lines first: a crash in between leaves them twice, and equal entries count once.
            good = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
            stamp, _, _ = name.partition("-")
            self._storage.store(f"{DIRECTORY}/{stamp}-{secrets.token_hex(4)}.jsonl", good)
            self._storage.quarantine(key, f"{damaged} lines cannot be read")
        return entries


def read_entries(storage: Storage) -> list[Entry]:
    """All entries, oldest first, each once; damaged lines are passed over. Changes nothing. Raises: StorageError."""
    segments = (storage.load(f"{DIRECTORY}/{name}") or b"" for name in storage.list(DIRECTORY))
    entries = dict.fromkeys(entry for segment in segments for entry in parse_lines(segment)[0])
    return sorted(entries, key=lambda entry: entry.at)


def parse_lines(segment: bytes) -> tuple[list[Entry], int]:
    """The entries of a segment, and how many of its lines are none."""
    found = [_parse(line) for line in segment.splitlines()]
    entries = [entry for entry in found if entry is not None]
    return entries, len(found) - len(entries)


_decoder = msgspec.json.Decoder(Entry)


def _parse(line: bytes) -> Entry | None:
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def tally_of(entries: Iterable[Entry]) -> Tally:
    """What has been spent, from entries in any order."""
    tally = Tally()
    for entry in sorted(dict.fromkeys(entries), key=lambda entry: entry.at):
        count(tally, entry)
    return tally


def count(tally: Tally, entry: Entry) -> None:
    """Book one event under the budgets that it spends."""
    if entry.exempt or entry.rehearsal:
        return
    if entry.event is Event.ORDERED:
        tally.order(entry.ca, entry.at)
    elif entry.event is Event.ISSUED:
        tally.issuance(entry.ca, entry.names, entry.at)
    elif entry.event is Event.FAILED and entry.kind == "validation":
        tally.failure(entry.ca, entry.names, entry.at)


def _new_name(now: float) -> str:
    return f"{datetime.fromtimestamp(now, UTC):{_STAMP}}-{secrets.token_hex(4)}.jsonl"
