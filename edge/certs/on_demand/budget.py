"""How often something may happen for each of many keys: one token bucket per key, for a bounded number of keys. Pure.

A bucket that is full says nothing, so only those that are not are kept. When there are too many, the one that was used longest
ago is forgotten: whoever can fill the table with other keys gets a few tokens more, never without end, because the
budget for all of them together stands behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

MOST_KEYS: Final = 10_000


class Level(Struct, frozen=True, array_like=True):
    """So many tokens at this moment."""

    tokens: float
    at: float


class Budget:
    """`count` at once, and one more every `seconds / count`. All moments of one budget are of the same clock."""

    def __init__(self, count: int, seconds: float, most_keys: int = MOST_KEYS) -> None:
        self._count = float(count)
        self._per_second = count / seconds
        self._most_keys = most_keys
        self.levels: dict[str, Level] = {}
        """Of the buckets that are not full; may be kept over restarts."""

    def wait(self, key: str, now: float) -> float:
        """Seconds until there is a token; 0.0: now."""
        return max(0.0, (1.0 - self._tokens(key, now)) / self._per_second)

    def take(self, key: str, now: float) -> bool:
        """Take a token if there is one."""
        tokens = self._tokens(key, now)
        if tokens < 1.0:
            return False
        self.levels.pop(key, None)
        if len(self.levels) >= self._most_keys:
            del self.levels[next(iter(self.levels))]
        self.levels[key] = Level(tokens - 1.0, now)
        return True

    def restore(self, levels: Mapping[str, Level], now: float) -> None:
        """Go on from what was kept. A moment after `now` comes from a wrong clock and counts as now."""
        kept = {key: Level(min(level.tokens, self._count), min(level.at, now)) for key, level in levels.items()}
        self.levels = dict(list(kept.items())[-self._most_keys :])

    def tidy(self, now: float) -> None:
        """Forget the buckets that have filled up."""
        self.levels = {key: level for key, level in self.levels.items() if self._tokens(key, now) < self._count}

    def _tokens(self, key: str, now: float) -> float:
        level = self.levels.get(key)
        if level is None:
            return self._count
        return min(self._count, level.tokens + max(0.0, now - level.at) * self._per_second)
