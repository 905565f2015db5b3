"""What a CA still allows, forecast from what has been spent. Pure.

Limits of CAs are token buckets: a bucket holds so many tokens, each event takes one, and they come back evenly over the window
(Let's Encrypt says so, and answers 429 when a bucket is empty). Replaying our own events gives the same level, as long as
nobody else spends from the same account. CAs whose limits are not published have no budget here, and are simply asked.

    orders       new orders of the account
    duplicates   certificates for exactly the same set of names
    failures     failed validations of one name

What is asked for inside the CA's renewal window is exempt and is not counted. The limit per registered domain is not forecast:
which part of a name is a registered domain is a public list that changes every week.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from edge.certs.renewal import DAY, HOUR


class Kind(StrEnum):
    """What is limited; the values are for programs."""

    ORDERS = "orders"
    DUPLICATES = "duplicates"
    FAILURES = "failures"


class Limit(Struct, frozen=True):
    """At most `count` events at once; they come back over `window` seconds."""

    kind: Kind
    count: int
    window: float

    @property
    def refill(self) -> float:
        """Seconds until one token is back."""
        return self.window / self.count


LIMITS: dict[str, tuple[Limit, ...]] = {
    "Let's Encrypt": (
        Limit(Kind.ORDERS, 300, 3 * HOUR),
        Limit(Kind.DUPLICATES, 5, 7 * DAY),
        Limit(Kind.FAILURES, 5, HOUR),
    ),
    "Let's Encrypt (staging)": (
        Limit(Kind.ORDERS, 1500, 3 * HOUR),
        Limit(Kind.DUPLICATES, 30000, 7 * DAY),
        Limit(Kind.FAILURES, 200, HOUR),
    ),
}
"""Published limits by the name of the CA (letsencrypt.org/docs/rate-limits, August 2026)."""

MOST_SUBJECTS = 100_000
"""Sets of names and single names that are remembered; beyond it the stale ones are forgotten."""


class Budget(Struct, frozen=True):
    """One limit as it stands. `subject` is the name or the names it is about, "" for the account; `frees_at` is the POSIX time
    from which one more is possible, 0.0 when it is possible now."""

    kind: Kind
    subject: str
    left: int
    count: int
    window: float
    frees_at: float = 0.0


class Tally:
    """POSIX times of what has been spent, by CA, kind and subject."""

    def __init__(self) -> None:
        self._spent: dict[tuple[str, Kind, str], list[float]] = {}

    def order(self, ca: str, at: float) -> None:
        """The CA has made an order."""
        self._book(ca, Kind.ORDERS, "", at)

    def issuance(self, ca: str, names: tuple[str, ...], at: float) -> None:
        """The CA has issued for these names."""
        self._book(ca, Kind.DUPLICATES, _subject(names), at)

    def failure(self, ca: str, names: tuple[str, ...], at: float) -> None:
        """The CA did not find the proof of these names."""
        for name in names:
            self._book(ca, Kind.FAILURES, name, at)

    def budgets(self, ca: str, names: tuple[str, ...], now: float) -> list[Budget]:
        """What an order for these names would spend; of single names only the one with the least left. Empty for CAs whose
        limits are not known."""
        return [
            min(
                (self._budget(ca, limit, subject, now) for subject in _subjects(limit.kind, names)),
                key=lambda budget: (budget.left, -budget.frees_at),
            )
            for limit in LIMITS.get(ca, ())
        ]

    def exhausted(self, ca: str, names: tuple[str, ...], now: float) -> Budget | None:
        """The budget that an order for these names would certainly exceed, the one that frees last; None when none would."""
        empty = [budget for budget in self.budgets(ca, names, now) if budget.frees_at]
        return max(empty, key=lambda budget: budget.frees_at, default=None)

    def _budget(self, ca: str, limit: Limit, subject: str, now: float) -> Budget:
        level = bucket_level(self._spent.get((ca, limit.kind, subject), ()), limit, now)
        frees_at = 0.0 if level >= 1 else now + (1 - level) * limit.refill
        return Budget(limit.kind, subject, int(level), limit.count, limit.window, frees_at)

    def _book(self, ca: str, kind: Kind, subject: str, at: float) -> None:
        limit = next((limit for limit in LIMITS.get(ca, ()) if limit.kind is kind), None)
        if limit is None:
            return
        times = self._spent.setdefault((ca, kind, subject), [])
        insort(times, at)
        while times[0] < times[-1] - limit.window:  # a window later every token is back
            del times[0]
        if len(self._spent) > MOST_SUBJECTS:
            self._forget_stale(at)

    def _forget_stale(self, now: float) -> None:
        longest = 7 * DAY
        self._spent = {key: times for key, times in self._spent.items() if times[-1] > now - longest}


def bucket_level(times: list[float] | tuple[()], limit: Limit, now: float) -> float:
    """Tokens at `now` after events at `times` (sorted). Events in the future, from a clock that was wrong, do not count."""
    level, before = float(limit.count), 0.0
    for at in times:
        if at > now:
            break
        # An empty bucket would have been refused: whatever happened in spite of it has shown that it was not empty.
        level = max(min(limit.count, level + (at - before) / limit.refill) - 1, 0.0)
        before = at
    return min(limit.count, level + (now - before) / limit.refill) + 1e-9


def _subjects(kind: Kind, names: tuple[str, ...]) -> Iterator[str]:
    match kind:
        case Kind.ORDERS:
            yield ""
        case Kind.DUPLICATES:
            yield _subject(names)
        case Kind.FAILURES:
            yield from names


def _subject(names: tuple[str, ...]) -> str:
    return ",".join(sorted(names))


def in_words(budget: Budget, ca: str) -> str:
    """Why an order would be in vain: the limit that is used up, as a sentence without its end."""
    span = f"{budget.window / DAY:g} days" if budget.window >= DAY else f"{budget.window / HOUR:g} h"
    span = "an hour" if span == "1 h" else span
    match budget.kind:
        case Kind.ORDERS:
            return f"{ca} allows an account {budget.count} new orders in {span}, and all are used"
        case Kind.DUPLICATES:
            return f"{ca} issues {budget.count} certificates for exactly the same names in {span}, and all are used"
        case Kind.FAILURES:
            return f"{ca} allows {budget.count} failed validations of {budget.subject} in {span}, and all are used"
