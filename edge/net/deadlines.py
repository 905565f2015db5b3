"""Deadlines without timers: an object carries a moment, one tick looks at all of them.

A request must not cost a timer (a heap entry, a handle, a cancellation). Connections write a float instead, and a sweep four
times a second finds who is late. 10,000 connections cost about a millisecond a second.
"""

from __future__ import annotations

from typing import Final, Protocol

from edge.telemetry.logs import get_logger

NEVER: Final = float("inf")

TICK: Final = 0.25
"""Seconds between two sweeps; a deadline is noticed at most this late."""


AFTER_A_BUG: Final = 5.0
"""Seconds until somebody who raised is called again: often enough to end, too rarely to fill a log."""

log = get_logger("net")


class Timed(Protocol):
    """Something with a deadline."""

    deadline: float
    """Monotonic time (the event loop's clock), or NEVER."""

    def deadline_passed(self, now: float) -> None:
        """Called once per sweep while `deadline <= now`; must move the deadline or end the object."""


class Deadlines:
    """All timed objects of one worker."""

    def __init__(self) -> None:
        self._timed: set[Timed] = set()

    def __len__(self) -> int:
        return len(self._timed)

    def add(self, timed: Timed) -> None:
        """Watch `timed` until `discard`."""
        self._timed.add(timed)

    def discard(self, timed: Timed) -> None:
        """Watch it no longer; no error when it was not watched."""
        self._timed.discard(timed)

    def sweep(self, now: float) -> None:
        """Call everyone whose deadline has come. A bug in one of them does not keep the others from theirs."""
        for timed in [each for each in self._timed if each.deadline <= now]:
            try:
                timed.deadline_passed(now)
            except Exception:
                timed.deadline = now + AFTER_A_BUG
                log.exception("deadline failed", whose=type(timed).__name__)
