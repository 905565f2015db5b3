"""What is stored, in memory that all workers share: names and sizes of files, but no file.

The memory is mapped before the first fork. It answers without a system call whether something is stored, it knows how many
bytes there are in all, and it says what to remove when there are too many: an approximation of the least recently used entry
(CLOCK). A hand goes round the places; a file that was used since the hand came by last is passed over once.

    state     one byte a place    0 free, 1 stored, 2 used lately
    names     16 bytes            the file's name
    sizes     8 bytes             what the file takes

Changes are made under a lock that the kernel gives back when a process dies; looking needs none: a name that is half written
finds no file, and that is a miss. A process that dies between two steps leaves a place whose file does not exist, or a count that
is off by one file until the next worker starts and counts.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

PLACES: Final = 65_536
"""Most files at a time. 64 MiB hold 16,384 of the smallest, a 1 GiB disk this many of 16 KiB."""

WAYS: Final = 8
"""Places that a name may have."""

BLOCK: Final = 4096
"""A file takes whole blocks."""

NAME: Final = 16
"""Bytes of a name."""

_HEADER: Final = 64
_USED_TO_STORED: Final = bytes((0, 1, 1)) + bytes(range(3, 256))
_FREE, _STORED, _USED = 0, 1, 2


class CacheIndex:
    """Make it before forking. Pages that are never touched do not exist, so an unused one costs nothing."""

    def __init__(self, places: int = PLACES) -> None:
        self._places = places
        self._sets = places // WAYS
        self._lock = os.memfd_create("edge-cache-lock", os.MFD_CLOEXEC)
        weakref.finalize(self, os.close, self._lock)
        self._memory = mmap.mmap(-1, _HEADER + places * (1 + NAME + 8))
        view = memoryview(self._memory)
        self._header = view[:_HEADER].cast("Q")
        self._states = _HEADER
        self._names = _HEADER + places
        self._sizes = view[_HEADER + places * (1 + NAME) :].cast("Q")

    def __repr__(self) -> str:
        return f"<CacheIndex {self.total} bytes>"

    @property
    def total(self) -> int:
        """Bytes of all files."""
        return self._header[0]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone with the index: for microseconds, never around a visitor or an origin."""
        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)

    def has(self, name: bytes) -> bool:
        """Whether a file of this name is stored; it counts as used."""
        place = self._find(name)
        if place < 0:
            return False
        if self._memory[self._states + place] == _STORED:
            self._memory[self._states + place] = _USED
        return True

    def add(self, name: bytes, size: int) -> bytes | None:
        """Enter a file, or its new size. Returns the name of one that had to give way to it, to be removed. Under the lock."""
        size = taken(size)
        place, loser = self._find(name), None
        if place < 0:
            place = self._free_place(name)
            if self._memory[self._states + place] != _FREE:
                loser = self._name_at(place)
                self._clear(place)
        else:
            self._clear(place)
        self._memory[self._names + place * NAME : self._names + (place + 1) * NAME] = name
        self._sizes[place] = size
        self._header[0] += size
        self._memory[self._states + place] = _USED
        return loser

    def remove(self, name: bytes) -> None:
        """Forget a file; no error when it is not known. Under the lock."""
        place = self._find(name)
        if place >= 0:
            self._clear(place)

    def evict(self) -> bytes | None:
        """Forget what was used least lately and return its name, to be removed; None when nothing is left. Under the lock."""
        memory, first = self._memory, self._states
        end = first + self._places
        hand = first + self._header[1] % self._places
        for _ in range(
            3
        ):  # the rest of this round, a whole round that finds everything used, a whole one that does not
            found = memory.find(b"\1", hand, end)
            stop = end if found < 0 else found
            memory[hand:stop] = memory[hand:stop].translate(_USED_TO_STORED)
            if found >= 0:
                self._header[1] = found + 1 - first
                name = self._name_at(found - first)
                self._clear(found - first)
                return name
            hand = first
        self._header[0] = 0
        return None

    def begin_loading(self, directory: int) -> bool:
        """Whether the caller is the first who asks: the files that an earlier run has left there are its to enter. Under the
        lock. `directory` is a number that stands for it."""
        self._header[0] = sum(self._sizes)
        is_first = self._header[2] != directory
        self._header[2] = directory
        return is_first

    def _find(self, name: bytes) -> int:
        first = int.from_bytes(name[:4], "little") % self._sets * WAYS
        start = self._names + first * NAME
        found = self._memory.find(name, start, start + WAYS * NAME)
        if found < 0 or (found - start) % NAME:
            return -1
        place = first + (found - start) // NAME
        return place if self._memory[self._states + place] else -1

    def _free_place(self, name: bytes) -> int:
        """A place for the name: a free one, else the one that was used least lately."""
        first = int.from_bytes(name[:4], "little") % self._sets * WAYS
        states = self._memory[self._states + first : self._states + first + WAYS]
        return first + min(range(WAYS), key=states.__getitem__)

    def _name_at(self, place: int) -> bytes:
        return self._memory[self._names + place * NAME : self._names + (place + 1) * NAME]

    def _clear(self, place: int) -> None:
        self._memory[self._states + place] = _FREE
        self._header[0] = max(0, self._header[0] - self._sizes[place])
        self._sizes[place] = 0


def taken(size: int) -> int:
    """What a file of this size takes, its place in the directory included."""
    return (size // BLOCK + 1) * BLOCK
