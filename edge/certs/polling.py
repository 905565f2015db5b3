"""When to ask a CA for its renewal advice again (RFC 9773 §4.3). Pure.

Asked at once after an issuance; then when the CA says, within bounds; after failures with growing pauses, for ever: a first
poll that failed must not be the last one.
"""

from __future__ import annotations

from edge.certs.issuer import ErrorClass
from edge.certs.renewal import DAY, HOUR, MINUTE

SHORTEST, LONGEST = MINUTE, DAY
"""RFC 9773 §4.3.2 suggests exactly this clamp for Retry-After."""

JITTER = 0.10

LONG_TERM = 6 * HOUR
"""After an answer that will not get better soon; also the longest pause after any failure."""

START_JITTER = 120.0
"""Seconds over which polls are spread when the keeper starts with many certificates."""

TEMPORARY = frozenset({ErrorClass.TRANSPORT, ErrorClass.RATE})


def after_answer(poll_again: float, now: float, chance: float) -> float:
    """POSIX time of the next poll when the CA asked for `poll_again`. `chance` is uniform in [0, 1)."""
    wait = (poll_again - now) * (1 + JITTER * (2 * chance - 1))
    return now + min(max(wait, SHORTEST), LONGEST)


def after_failure(failures: int, error_class: ErrorClass, retry_after: float | None, now: float) -> float:
    """POSIX time of the next poll after `failures` ≥ 1 failed ones: 1, 2, 4, 8 … minutes up to six hours."""
    pause = LONG_TERM
    if error_class in TEMPORARY:
        pause = min(MINUTE * 2.0 ** min(failures - 1, 16), LONG_TERM)
    return max(now + pause, min(retry_after or 0.0, now + LONGEST))


def at_start(planned: float, lifetime: float, now: float, chance: float) -> float:
    """POSIX time of the first poll after a start: as planned before it, but never all at once."""
    if planned > now + 2 * LONGEST:
        planned = now  # no poll is ever planned so far ahead: the clock has been set back since
    return max(planned, now + chance * min(START_JITTER, lifetime / 20))
