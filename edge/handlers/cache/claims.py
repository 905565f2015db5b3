"""Who asks the origin for what at the moment, and for what it is no use to wait, in memory that all workers share.

    claim    "I ask for this": others wait for the answer instead of asking as well
    pass     "this is not kept": for a while nobody waits for anybody
    fall     "this was invalidated just now": what was asked for before must not be stored any more

A claim ends when it is given back, when it is old, or when its process is gone. Numbers are eight aligned bytes each, written at
once. Two workers that claim the same key in the same microsecond are told apart by the lock of the index.
"""

from __future__ import annotations

import mmap
import os
from typing import Final

from edge.handlers.cache.index import CacheIndex

SETS: Final = 4096
WAYS: Final = 4

CLAIM_SECONDS: Final = 5.0
"""After so long somebody else may ask too: a page that takes longer is made once in 5 s, not once for each visitor. nginx 5 s
(proxy_cache_lock_age)."""

PASS_SECONDS: Final = 60.0
"""How long a response that was not to be kept lets everybody pass. Varnish 120 s (hit-for-miss)."""

_COLUMNS: Final = 5


class Claims:
    """Make it before forking. Times are monotonic seconds, but `fallen`, which is POSIX time."""

    def __init__(self, index: CacheIndex) -> None:
        self._index = index
        size = SETS * WAYS * 8
        self._memory = mmap.mmap(-1, size * _COLUMNS)
        view = memoryview(self._memory)
        self._tags, self._pids = view[:size].cast("Q"), view[size : 2 * size].cast("Q")
        self._claimed = view[2 * size : 3 * size].cast("d")
        self._passes = view[3 * size : 4 * size].cast("d")
        self._fallen = view[4 * size :].cast("d")

    def claim(self, name: bytes, now: float) -> bool:
        """Whether the caller is the one to ask; then it MUST call `release`."""
        with self._index.locked():
            place = self._place(name, now)
            if self._is_claimed(place, now):
                return False
            self._pids[place] = os.getpid()
            self._claimed[place] = now + CLAIM_SECONDS
            return True

    def release(self, name: bytes, now: float, *, passes: bool = False) -> None:
        """The answer is there. `passes`: it is not to be kept, and nobody need wait for the next ones."""
        place = self._find(name)
        if place < 0:
            return
        if self._pids[place] == os.getpid():
            self._claimed[place] = 0.0
        self._passes[place] = now + PASS_SECONDS if passes else 0.0

    def is_claimed(self, name: bytes, now: float) -> bool:
        """Whether somebody asks for it."""
        place = self._find(name)
        return place >= 0 and self._is_claimed(place, now)

    def passes(self, name: bytes, now: float) -> bool:
        """Whether nobody need wait."""
        place = self._find(name)
        return place >= 0 and self._passes[place] > now

    def fell(self, name: bytes, now: float, moment: float) -> None:
        """What was asked for before POSIX time `moment` is not to be stored."""
        with self._index.locked():
            self._fallen[self._place(name, now)] = moment

    def fallen_since(self, name: bytes, asked_at: float) -> bool:
        """Whether it fell after it was asked for."""
        place = self._find(name)
        return place >= 0 and self._fallen[place] >= asked_at

    def _is_claimed(self, place: int, now: float) -> bool:
        return self._claimed[place] > now and _is_alive(self._pids[place])

    def _find(self, name: bytes) -> int:
        tag = int.from_bytes(name[:8], "little") | 1
        first = int.from_bytes(name[8:12], "little") % SETS * WAYS
        for place in range(first, first + WAYS):
            if self._tags[place] == tag:
                return place
        return -1

    def _place(self, name: bytes, now: float) -> int:
        """Its place, or the one of somebody who is nearest to being forgotten anyway."""
        place = self._find(name)
        if place >= 0:
            return place
        first = int.from_bytes(name[8:12], "little") % SETS * WAYS
        place = min(range(first, first + WAYS), key=lambda each: (self._is_claimed(each, now), self._passes[each]))
        self._tags[place] = int.from_bytes(name[:8], "little") | 1
        self._claimed[place] = self._passes[place] = self._fallen[place] = 0.0
        return place


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # a confined worker may signal nobody; that there is somebody is the answer
        return True
    return True
