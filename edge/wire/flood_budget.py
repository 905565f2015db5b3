"""How much of one thing a peer may do: a burst, refilled at a steady rate.

Floods are made of frames that are each legal. What tells an attack from traffic is their number over time, so every kind of
cheap frame is paid from a budget; who has spent it is asked to calm down (RFC 9113 §10.5). Pure: time is an argument.
"""

from __future__ import annotations

from typing import Final

from edge.http.limits import CONTROL_BURST, CONTROL_RATE, RESET_BURST, RESET_RATE


class FloodBudget:
    """A token bucket. It starts full and never holds more than `burst`.

    It is refilled when it is found empty, not before: whoever feeds the connection only sets `now` (monotonic seconds).
    """

    __slots__ = ("_burst", "_rate", "_refilled", "now", "tokens")

    def __init__(self, burst: int, rate: int) -> None:
        self._burst: Final = float(burst)
        self._rate: Final = rate
        self._refilled: float | None = None
        self.now = 0.0
        self.tokens = self._burst

    def __repr__(self) -> str:
        return f"<FloodBudget {self.tokens:.1f}/{self._burst:.0f} +{self._rate}/s>"

    def give(self, tokens: float) -> None:
        """Forgive so many."""
        self.tokens = min(self._burst, self.tokens + tokens)

    def spend(self) -> bool:
        """Pay for one. False when there is nothing left: the peer has overdone it."""
        if self._refilled is None:
            self._refilled = self.now
        if self.tokens < 1:
            self._refill(self.now - self._refilled)
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def _refill(self, elapsed: float) -> None:
        """A clock that steps back adds nothing."""
        self._refilled = self.now
        if elapsed > 0:
            self.give(elapsed * self._rate)


def reset_budget() -> FloodBudget:
    """For streams reset by either side."""
    return FloodBudget(RESET_BURST, RESET_RATE)


def control_budget() -> FloodBudget:
    """For frames that carry neither head nor body."""
    return FloodBudget(CONTROL_BURST, CONTROL_RATE)
