"""How much of one thing a peer may do: a burst, refilled at a steady rate.

Floods are made of frames that are each legal. What tells an attack from traffic is their number over time, so every kind of
cheap frame is paid from a budget; who has spent it is asked to calm down (RFC 9113 §10.5). Pure: time is an argument.
"""

from __future__ import annotations

from typing import Final

from edge.http.limits import CONTROL_BURST, CONTROL_RATE, RESET_BURST, RESET_RATE


class FloodBudget:
    """A token bucket. It starts full and never holds more than `burst`."""

    __slots__ = ("_burst", "_rate", "_refilled", "tokens")

    def __init__(self, burst: int, rate: int) -> None:
        self._burst: Final = float(burst)
        self._rate: Final = rate
        self._refilled: float | None = None
        self.tokens = self._burst

    def __repr__(self) -> str:
        return f"<FloodBudget {self.tokens:.1f}/{self._burst:.0f} +{self._rate}/s>"

    def refill(self, now: float) -> None:
        """Add what has become due since the last call; `now` in monotonic seconds. A clock that steps back adds nothing."""
        if self._refilled is not None and now > self._refilled:
            self.give((now - self._refilled) * self._rate)
        self._refilled = now

    def give(self, tokens: float) -> None:
        """Forgive so many."""
        self.tokens = min(self._burst, self.tokens + tokens)

    def spend(self) -> bool:
        """Pay for one. False when there is nothing left: the peer has overdone it."""
        self.tokens -= 1
        return self.tokens >= 0


def reset_budget() -> FloodBudget:
    """For streams reset by either side."""
    return FloodBudget(RESET_BURST, RESET_RATE)


def control_budget() -> FloodBudget:
    """For frames that carry neither head nor body."""
    return FloodBudget(CONTROL_BURST, CONTROL_RATE)
