"""Which CA is asked next. Pure.

The preferred CA is asked first, for every renewal anew. The next one gets its turn when

    transport       three failures over at least ten minutes; two while there is nothing valid; one when time runs short
    rate            the wait is longer than an hour, or any wait when time runs short
    policy, account at once: only a human can change that, and visitors should not wait for one
    validation      after a day: what one CA cannot see the others will hardly see, but one of them may look from elsewhere
    order, dns, local   never: another CA would meet the same trouble

When all have failed, the one that was asked longest ago has the next try.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from edge.certs.issuer import ErrorClass
from edge.certs.renewal import DAY, HOUR, MINUTE, Urgency

TRIES, SPAN = 3, 10 * MINUTE
"""Failures, and seconds from the first to the last, after which a CA that does not work is left."""

FIRST_TRIES = 2
"""Failures while there is nothing valid to serve."""

LONG_WAIT = HOUR


class Streak(Struct, frozen=True):
    """Failures of one class in a row at one CA, for one certificate. Times are POSIX; `until` is the CA's Retry-After or 0."""

    ca: str
    error_class: ErrorClass
    failures: int
    since: float
    last: float
    until: float = 0.0


def with_failure(
    streaks: Sequence[Streak], ca: str, error_class: ErrorClass, retry_after: float | None, now: float
) -> tuple[Streak, ...]:
    """The streaks after one more failure at `ca`; one of another class begins anew."""
    before = next((streak for streak in streaks if streak.ca == ca and streak.error_class is error_class), None)
    failures, since = (before.failures + 1, before.since) if before else (1, now)
    others = (streak for streak in streaks if streak.ca != ca)
    return (*others, Streak(ca, error_class, failures, since, now, retry_after or 0.0))


def with_waits(streaks: Sequence[Streak], waits: Mapping[str, float], now: float) -> tuple[Streak, ...]:
    """The streaks as they are with what the CAs have told other certificates: a wait that is still running counts as one
    failure of class RATE."""
    held = [Streak(ca, ErrorClass.RATE, 1, now, now, until) for ca, until in waits.items() if until > now]
    names = {streak.ca for streak in held}
    return (*(streak for streak in streaks if streak.ca not in names), *held)


def choose_ca(cas: Sequence[str], streaks: Sequence[Streak], level: Urgency, now: float) -> str:
    """One of `cas`, which are in the operator's order."""
    by_ca = {streak.ca: streak for streak in streaks}
    for ca in cas:
        if ca not in by_ca or not is_left(by_ca[ca], level, now):
            return ca
    return min(cas, key=lambda ca: (max(by_ca[ca].until - now, 0.0), by_ca[ca].last))


def is_left(streak: Streak, level: Urgency, now: float) -> bool:
    """Whether the next CA should be asked instead."""
    match streak.error_class:
        case ErrorClass.POLICY | ErrorClass.ACCOUNT:
            return now < streak.last + DAY
        case ErrorClass.RATE:
            return streak.until - now > (LONG_WAIT if level < Urgency.PRESSING else 0.0)
        case ErrorClass.TRANSPORT:
            return _is_out_of_order(streak, level)
        case ErrorClass.VALIDATION:
            return streak.last - streak.since >= DAY
        case _:
            return False


def _is_out_of_order(streak: Streak, level: Urgency) -> bool:
    if level is Urgency.NOTHING_VALID:
        return streak.failures >= FIRST_TRIES
    if level >= Urgency.PRESSING:
        return True
    return streak.failures >= TRIES and streak.last - streak.since >= SPAN
