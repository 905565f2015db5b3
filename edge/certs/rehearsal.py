"""Whether a proof is rehearsed at the CA's test system first. Pure.

CAs count failed validations (Let's Encrypt: five per name and hour, and at some point the name is paused). So after two in a row
a name is tried where failures are cheap, and production is asked only when that went well. Every sixth attempt, and one a
day, goes to production all the same: a test system may be wrong about what production would say.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge.certs.failover import Streak
from edge.certs.issuer import ErrorClass
from edge.certs.renewal import DAY

FAILURES = 2
"""Failed validations in a row before the first rehearsal."""

DIRECT_EVERY = 6
"""This attempt of a streak, and each multiple of it, is made without one."""


def wants_rehearsal(streaks: Sequence[Streak], ca: str, ordered_at: float, now: float) -> bool:
    """Whether the next attempt at `ca` is rehearsed; `ordered_at` is when production was last asked (POSIX, 0.0 for never)."""
    streak = next((each for each in streaks if each.ca == ca and each.error_class is ErrorClass.VALIDATION), None)
    if streak is None or streak.failures < FAILURES:
        return False
    return (streak.failures + 1) % DIRECT_EVERY != 0 and now - ordered_at < DAY
