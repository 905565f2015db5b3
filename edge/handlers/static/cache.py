"""What is known about the files of one mount, within bounds: entries by weight, absences by number.

Keys are canonical spellings of request paths (`edge.http.path.format_path`): a target that is spelled so finds its entry with
one look, every other spelling takes the longer way and arrives at the same key.

The oldest goes first, and whoever is looked at again becomes the youngest. That happens at most once a second for an entry in
use, so hits cost nothing, and what is used stays.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from edge.handlers.static.entry import Entry

MAX_WEIGHT: Final = 32 * 1024 * 1024
"""Bytes per mount and worker. An average Django site's CSS, scripts and icons fit whole."""

MAX_ABSENCES: Final = 1024
"""Paths without a file that are remembered; all are forgotten at once beyond."""


class Absence(Struct, frozen=True, gc=False):
    """There is no file; `is_directory`: but there would be an index behind a slash. True until the monotonic time `until`."""

    until: float
    is_directory: bool


class EntryCache:
    """Entries and absences by key. `entries` is there to be read on the hot path, and stays the same object for good."""

    def __init__(self, max_weight: int = MAX_WEIGHT) -> None:
        self.entries: dict[bytes, Entry] = {}
        self.weight = 0
        self._max_weight = max_weight
        self._absences: dict[bytes, Absence] = {}

    def __repr__(self) -> str:
        return f"<EntryCache {len(self.entries)} entries, {self.weight} bytes, {len(self._absences)} absences>"

    def store(self, entry: Entry) -> None:
        """Keep `entry` under its key as the youngest; what was there, and the oldest beyond the bounds, goes."""
        self.discard(entry.key)
        self._absences.pop(entry.key, None)
        self.entries[entry.key] = entry
        self.weight += entry.weight
        while self.weight > self._max_weight and len(self.entries) > 1:
            self.discard(next(iter(self.entries)))

    def discard(self, key: bytes) -> None:
        """Forget the entry, if there is one."""
        entry = self.entries.pop(key, None)
        if entry is not None:
            self.weight -= entry.weight

    def store_absence(self, key: bytes, absence: Absence) -> None:
        """Remember that there is no file; an entry under this key goes."""
        self.discard(key)
        if len(self._absences) >= MAX_ABSENCES:
            self._absences.clear()
        self._absences[key] = absence

    def absence(self, key: bytes, now: float) -> Absence | None:
        """What `store_absence` was told, while it lasts."""
        absence = self._absences.get(key)
        return absence if absence is not None and now < absence.until else None

    def clear(self) -> None:
        """Forget everything."""
        self.entries.clear()
        self._absences.clear()
        self.weight = 0
