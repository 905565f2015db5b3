"""Verdicts about names, remembered for a while and in a bounded number. Pure.

The names come from strangers, so the memory must not grow with them: the verdict that has been there longest goes first.
"""

from __future__ import annotations

from typing import Final

MOST_VERDICTS: Final = 10_000
"""About 2 MB. A flood of more names than that is held off by the budget for questions, not by memory."""


class Memo:
    """Name → whether it is welcome. `now` is a monotonic time."""

    def __init__(self, most: int = MOST_VERDICTS) -> None:
        self._most = most
        self._verdicts: dict[str, tuple[bool, float]] = {}

    def __len__(self) -> int:
        return len(self._verdicts)

    def get(self, name: str, now: float) -> bool | None:
        """The verdict, or None when there is none that still holds."""
        verdict = self._verdicts.get(name)
        if verdict is None:
            return None
        if verdict[1] <= now:
            del self._verdicts[name]
            return None
        return verdict[0]

    def lasts(self, name: str, now: float) -> float:
        """Seconds that the verdict still holds; 0.0 when there is none."""
        verdict = self._verdicts.get(name)
        return 0.0 if verdict is None else max(0.0, verdict[1] - now)

    def put(self, name: str, *, is_welcome: bool, until: float) -> None:
        """Remember a verdict, in place of an earlier one."""
        self._verdicts.pop(name, None)
        if len(self._verdicts) >= self._most:
            del self._verdicts[next(iter(self._verdicts))]
        self._verdicts[name] = (is_welcome, until)
