"""How much a worker has served: plain integers, counted only where somebody has asked for metrics."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

CLASSES = 6
"""Status codes by their first digit; 0 counts what ended without a status."""


class Traffic(Struct, frozen=True):
    """`connections` that are open now; `requests` answered so far, by the first digit of their status."""

    connections: int = 0
    requests: tuple[int, ...] = (0,) * CLASSES


def total(each: Iterable[Traffic]) -> Traffic:
    """The sum."""
    each = list(each)
    requests = tuple(sum(traffic.requests[digit] for traffic in each) for digit in range(CLASSES))
    return Traffic(sum(traffic.connections for traffic in each), requests)


class RequestCounter:
    """Counts in a list: one index and one addition for each request."""

    def __init__(self) -> None:
        self.counts = [0] * CLASSES

    def count(self, status: int) -> None:
        """One more request has been answered."""
        self.counts[status // 100 if status < 600 else 0] += 1

    def requests(self) -> tuple[int, ...]:
        """The counts so far."""
        return tuple(self.counts)
