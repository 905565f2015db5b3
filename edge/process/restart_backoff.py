"""How long to wait before a dead process is replaced. Pure: no clock, no process.

A process that worked and then died is replaced at once, because visitors wait. One that keeps dying is replaced after
1, 2, 4 … 30 seconds: it would otherwise burn the machine that its siblings need.
"""

from __future__ import annotations

from typing import Final

STABLE: Final = 10.0
"""Seconds after which a death is news and not part of a crash loop."""

FIRST_DELAY: Final = 1.0
"""For a process that never became ready, or has just been replaced: the same thing would happen again at once."""

MAX_DELAY: Final = 30.0
"""An operator who has repaired the cause should not have to wait longer, or think of restarting by hand."""


class RestartBackoff:
    """The memory of one place in the process tree."""

    def __init__(self) -> None:
        self._next = 0.0

    def __repr__(self) -> str:
        return f"<RestartBackoff next={self._next}>"

    def delay(self, lived: float, *, was_ready: bool) -> float:
        """Seconds to wait after a process died that had lived for `lived` seconds and had, or had not, become ready."""
        if lived >= STABLE:
            self._next = 0.0
        delay = self._next if was_ready else max(self._next, FIRST_DELAY)
        self._next = min(max(2 * delay, FIRST_DELAY), MAX_DELAY)
        return delay
