"""Deadlines: whose have come, and what a bug in one of them means for the others."""

from __future__ import annotations

from edge.net.deadlines import AFTER_A_BUG, NEVER, Deadlines


class Timed:
    """Counts its calls; raises if it is told to."""

    def __init__(self, deadline: float, *, broken: bool = False) -> None:
        self.deadline = deadline
        self.calls = 0
        self._broken = broken

    def deadline_passed(self, now: float) -> None:
        self.calls += 1
        if self._broken:
            raise ZeroDivisionError
        self.deadline = NEVER


def test_only_whose_time_has_come() -> None:
    """Once, since they move their deadline."""
    deadlines = Deadlines()
    due, later = Timed(1.0), Timed(3.0)
    deadlines.add(due)
    deadlines.add(later)
    deadlines.sweep(2.0)
    deadlines.sweep(2.5)
    assert (due.calls, later.calls) == (1, 0)


def test_a_bug_in_one_does_not_reach_the_others() -> None:
    """All others are called in the same sweep, and it is called again only after a while."""
    deadlines = Deadlines()
    broken = [Timed(1.0, broken=True) for _ in range(5)]
    sound = [Timed(1.0) for _ in range(5)]
    for pair in zip(broken, sound, strict=True):
        for each in pair:
            deadlines.add(each)
    deadlines.sweep(2.0)
    deadlines.sweep(2.0 + AFTER_A_BUG / 2)
    assert [each.calls for each in sound] == [1] * 5
    assert [each.calls for each in broken] == [1] * 5
    deadlines.sweep(2.0 + AFTER_A_BUG)
    assert [each.calls for each in broken] == [2] * 5
