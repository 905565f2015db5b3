"""How often each client of this machine has asked: one table in memory that all workers share.

The rule is the virtual scheduling algorithm (ITU-T I.371, "GCRA"), a token bucket that is stored as a single number per client:
the moment at which its bucket would be full again. A request is granted if that moment is not too far ahead, and moves it by
one interval.

The memory is mapped before the first fork, so every worker, those of later generations too, sees the same numbers. There is
no lock: each number is eight aligned bytes, written at once, and two workers that decide about one client in the same microsecond
may grant both where one was due. A limit may be exceeded by that little; nobody waits for anybody.

Clients are found by a keyed digest in sets of four places. When all four are taken, the one that is nearest to a full bucket is
forgotten: an attacker with many addresses makes others look fresh, never guilty.
"""

from __future__ import annotations

import hashlib
import mmap
import secrets
from typing import Final

from edge.config.schema import Rate

SETS: Final = 16384
"""Times four: clients remembered at a time. A megabyte, of which only touched pages exist."""

WAYS: Final = 4

_ENTRY: Final = 16
"""Bytes: digest of the client and the limit, and the moment."""


class RateTable:
    """Make it before forking."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, SETS * WAYS * _ENTRY)
        view = memoryview(self._memory)
        half = SETS * WAYS * _ENTRY // 2
        self._tags = view[:half].cast("Q")
        self._full_at = view[half:].cast("d")
        self._key = secrets.token_bytes(16)

    def __repr__(self) -> str:
        return f"<RateTable {SETS * WAYS} places>"

    def place_of(self, client: bytes, now: float) -> int:
        """Where this client's number is; the number is in the past for a client that was not known."""
        digest = hashlib.blake2b(client, key=self._key, digest_size=16).digest()
        tag = int.from_bytes(digest[:8], "little") | 1
        first = int.from_bytes(digest[8:], "little") % SETS * WAYS
        places = range(first, first + WAYS)
        for place in places:
            if self._tags[place] == tag:
                return place
        place = min(places, key=self._full_at.__getitem__)
        self._full_at[place] = now
        self._tags[place] = tag
        return place

    def wait(self, client: bytes, rate: Rate, now: float) -> float:
        """0.0 when a request at monotonic time `now` is granted (and counted), else the seconds until one would be."""
        place = self.place_of(client, now)
        full_at = max(self._full_at[place], now)
        ahead = full_at - now - rate.interval * (rate.burst - 1)
        if ahead > 1e-9:  # what adding up many intervals loses
            return ahead
        self._full_at[place] = full_at + rate.interval
        return 0.0
