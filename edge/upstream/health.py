"""What a worker believes about one origin, from three kinds of evidence. Pure: `now` is an argument.

    a connection is refused or not taken in time      avoided for 10 s, twice as long after each further one, 60 s at most
    several bad answers in a row                      the same
    the health path fails twice in a row              avoided until it answers again

A bad answer is none at all, 502, 503 or 504. A 500 is not: it is nearly always one view of the application, the same on every
origin, and avoiding one origin after the other for it would take the whole site down. An avoided origin is tried last, not
never: when nothing better is left, a belief is worth less than an attempt.
"""

from __future__ import annotations

from typing import Final

AVOIDED_SECONDS: Final = 10.0
"""After the first failure. nginx: fail_timeout=10s after one failure."""

MAX_AVOIDED_SECONDS: Final = 60.0
"""However often it failed, an origin that has healed gets requests again within a minute."""

MAX_BAD_ANSWERS: Final = 5
"""Bad answers in a row, without a good one in between, that make an origin avoided. Envoy: consecutive_gateway_failure 5."""

MAX_PROBE_FAILURES: Final = 2
"""Failed probes in a row: one may be a worker that was just recycled."""

BAD_STATUSES: Final = frozenset((502, 503, 504))

NEVER: Final = float("-inf")


class OriginHealth:
    """The verdict on one origin. It begins well: an origin is tried before it is judged."""

    __slots__ = ("_avoided_until", "_bad_answers", "_failures", "_probe_failures")

    def __init__(self) -> None:
        self._avoided_until = NEVER
        self._failures = 0
        self._bad_answers = 0
        self._probe_failures = 0

    def __repr__(self) -> str:
        return f"<OriginHealth failures={self._failures} bad={self._bad_answers} probes={self._probe_failures}>"

    def is_avoided(self, now: float) -> bool:
        """Whether others should be tried first."""
        return now < self._avoided_until or self._probe_failures >= MAX_PROBE_FAILURES

    def refused(self, now: float) -> None:
        """A connection could not be opened."""
        self._failures += 1
        self._avoid(now)

    def opened(self) -> None:
        """A connection was opened. Says nothing about answers: those of a broken application are taken by its server."""
        if self._failures and self._bad_answers < MAX_BAD_ANSWERS:
            self._failures = 0
            self._avoided_until = NEVER

    def answered(self, status: int, now: float) -> bool:
        """A response came. True when it is the one that makes the origin avoided."""
        if status in BAD_STATUSES:
            return self.answered_badly(now)
        if self._bad_answers:
            self._bad_answers = self._failures = 0
            self._avoided_until = NEVER
        return False

    def answered_badly(self, now: float) -> bool:
        """A bad answer or none. True when it is the one that makes the origin avoided."""
        self._bad_answers += 1
        if self._bad_answers < MAX_BAD_ANSWERS:
            return False
        was_avoided = self.is_avoided(now)
        if not was_avoided:  # those that were under way when the verdict fell do not make it harsher
            self._failures += 1
            self._avoid(now)
        return not was_avoided

    def probe_passed(self) -> bool:
        """The health path was answered: all earlier evidence is outdated. True when failing probes had it avoided."""
        was_out = self._probe_failures >= MAX_PROBE_FAILURES
        self._failures = self._bad_answers = self._probe_failures = 0
        self._avoided_until = NEVER
        return was_out

    def probe_failed(self) -> bool:
        """The health path was not answered well. True when it is the failure that makes the origin avoided."""
        self._probe_failures += 1
        return self._probe_failures == MAX_PROBE_FAILURES

    def _avoid(self, now: float) -> None:
        doublings = min(self._failures - 1, 10)  # enough to reach the cap; keeps the power small
        self._avoided_until = now + min(AVOIDED_SECONDS * 2**doublings, MAX_AVOIDED_SECONDS)
