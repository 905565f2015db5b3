"""When a dead process is replaced."""

from __future__ import annotations

from edge.process.restart_backoff import MAX_DELAY, STABLE, RestartBackoff


def test_a_process_that_worked_is_replaced_at_once() -> None:
    """Visitors wait for it, and one death is no crash loop."""
    assert RestartBackoff().delay(STABLE, was_ready=True) == 0.0
    assert RestartBackoff().delay(0.1, was_ready=True) == 0.0


def test_a_process_that_keeps_dying_waits_longer_each_time() -> None:
    """1, 2, 4 … seconds, at most MAX_DELAY."""
    backoff = RestartBackoff()
    delays = [backoff.delay(0.1, was_ready=True) for _ in range(8)]
    assert delays == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, MAX_DELAY, MAX_DELAY]


def test_a_process_that_never_became_ready_waits_from_the_first_time() -> None:
    """It would only fail again."""
    backoff = RestartBackoff()
    assert [backoff.delay(0.1, was_ready=False) for _ in range(4)] == [1.0, 2.0, 4.0, 8.0]


def test_the_delay_stays_bounded_for_ever() -> None:
    """A crash loop of weeks neither overflows nor grows."""
    backoff = RestartBackoff()
    assert max(backoff.delay(0.0, was_ready=False) for _ in range(5000)) == MAX_DELAY


def test_a_long_life_clears_the_past() -> None:
    """After STABLE seconds of life a death is the first one again."""
    backoff = RestartBackoff()
    for _ in range(5):
        backoff.delay(0.1, was_ready=True)
    assert backoff.delay(STABLE, was_ready=True) == 0.0
    assert backoff.delay(0.1, was_ready=True) == 1.0
