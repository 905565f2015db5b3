"""When to try again after a failure. Pure.

    failure    1      2      3       4     5     6     7      8 and later
    pause      1 min  5 min  15 min  1 h   3 h   6 h   12 h   24 h          each ±20 %

Four attempts fall into the first hour, under Let's Encrypt's five failed validations per name and hour. What makes it
shorter: nothing valid to serve, a certificate near its end, a short lifetime. What makes it longer: the CA's Retry-After,
always. It never gives up.
"""

from __future__ import annotations

from edge.certs.issuer import ErrorClass
from edge.certs.renewal import DAY, HOUR, MINUTE, Urgency

PAUSES = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY)

JITTER = 0.20

UNHEARD = frozenset({ErrorClass.POLICY, ErrorClass.ACCOUNT})
"""A human must change something first: once a day, from the first failure on."""

LOCAL_PAUSE = MINUTE
"""After trouble of our own (disk, workers). It costs the CA nothing: the disk is probed before the CA is asked."""

RATE_PAUSE = HOUR
"""Rate limited without a Retry-After."""

RATE_SPREAD = 60.0
"""Seconds after a Retry-After over which certificates come back."""

LONGEST_RETRY_AFTER = 7 * DAY
"""A week is the longest period of any published limit; a longer Retry-After is a mistake."""

CAPS = {Urgency.PRESSING: HOUR, Urgency.CRITICAL: 15 * MINUTE}
"""Longest pause while a certificate runs out."""

FIRST_DAY_CAP, LATER_CAP = HOUR, 6 * HOUR
"""Longest pause while there is nothing valid to serve: in the first 24 hours, and after."""

LIFETIME_CAP, SHORTEST_CAP = 1 / 12, 5.0
"""No pause is longer than this share of the lifetime (three tries before a certificate renewed at 2/3 is critical), but this
many seconds are always allowed."""


class Circumstances:
    """Why a failure hurts: how near the end is, for how long nothing was valid, and what lifetime is at stake (seconds)."""

    __slots__ = ("lifetime", "nothing_valid_for", "urgency")

    def __init__(self, urgency: Urgency, nothing_valid_for: float = 0.0, lifetime: float | None = None) -> None:
        self.urgency = urgency
        self.nothing_valid_for = nothing_valid_for
        self.lifetime = lifetime


def next_attempt(
    failures: int,
    error_class: ErrorClass,
    retry_after: float | None,
    circumstances: Circumstances,
    *,
    now: float,
    chance: float,
) -> float:
    """POSIX time before which nothing is tried again.

    `failures` counts this one (≥ 1), `retry_after` is a POSIX time or None, `chance` uniform in [0, 1).
    """
    wanted = min(retry_after or 0.0, now + LONGEST_RETRY_AFTER)
    if error_class is ErrorClass.RATE:
        return max(wanted if retry_after else now + RATE_PAUSE, now) + RATE_SPREAD * chance
    pause = min(_pause(failures, error_class), _cap(circumstances))
    return max(now + pause * (1 + JITTER * (2 * chance - 1)), wanted)


def _pause(failures: int, error_class: ErrorClass) -> float:
    if error_class is ErrorClass.LOCAL:
        return LOCAL_PAUSE
    if error_class in UNHEARD:
        return DAY
    return PAUSES[min(failures, len(PAUSES)) - 1]


def _cap(circumstances: Circumstances) -> float:
    cap = CAPS.get(circumstances.urgency, DAY)
    if circumstances.urgency is Urgency.NOTHING_VALID:
        cap = FIRST_DAY_CAP if circumstances.nothing_valid_for < DAY else LATER_CAP
    if circumstances.lifetime is not None:
        cap = min(cap, max(circumstances.lifetime * LIFETIME_CAP, SHORTEST_CAP))
    return cap


def believable(planned: float, now: float) -> float:
    """`planned`, or 0.0 when it lies further ahead than any plan can: then the clock has been set back since."""
    return planned if planned <= now + LONGEST_RETRY_AFTER + RATE_SPREAD else 0.0
