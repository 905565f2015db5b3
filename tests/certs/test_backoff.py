"""When failed attempts and polls are repeated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.certs import polling
from edge.certs.backoff import PAUSES, Circumstances, believable, next_attempt
from edge.certs.issuer import ErrorClass
from edge.certs.renewal import DAY, HOUR, MINUTE, Urgency
from tests.certs.virtual_time import START

CHANCES = st.floats(0.0, 1.0, exclude_max=True)
CLASSES = st.sampled_from(ErrorClass)
CALM = Circumstances(Urgency.CALM, lifetime=398 * DAY)


def pause(failures: int, error_class: ErrorClass = ErrorClass.VALIDATION, circumstances: Circumstances = CALM) -> float:
    """Seconds without jitter and without a Retry-After."""
    return next_attempt(failures, error_class, None, circumstances, now=START, chance=0.5) - START


def test_the_table() -> None:
    """1 min, 5 min, 15 min, 1 h, 3 h, 6 h, 12 h, then daily for ever."""
    assert [pause(n) for n in range(1, 9)] == list(PAUSES)
    assert pause(1000) == DAY


@given(st.integers(1, 10**6), CLASSES, st.sampled_from(Urgency), st.floats(0.0, 1e7), st.floats(30, 398 * DAY), CHANCES)
def test_every_pause_is_bounded(
    failures: int, error_class: ErrorClass, level: Urgency, nothing: float, lifetime: float, chance: float
) -> None:
    """At least four seconds and at most a day, +20 %."""
    circumstances = Circumstances(level, nothing, lifetime)
    wait = next_attempt(failures, error_class, None, circumstances, now=START, chance=chance) - START
    assert 3.9 <= wait <= 1.2 * DAY + 1


@given(st.integers(1, 20), CLASSES, st.sampled_from(Urgency), st.floats(0, 7 * DAY), CHANCES)
def test_a_retry_after_is_always_honoured(
    failures: int, error_class: ErrorClass, level: Urgency, ahead: float, chance: float
) -> None:
    """No class and no urgency makes a request before the moment that the CA has named."""
    wanted = START + ahead
    assert next_attempt(failures, error_class, wanted, Circumstances(level), now=START, chance=chance) >= wanted


def test_a_retry_after_beyond_any_limit_is_cut() -> None:
    """A CA that says "in ten years" is asked again after a week, and such a plan is not believed when found on disk."""
    at = next_attempt(1, ErrorClass.RATE, START + 3650 * DAY, CALM, now=START, chance=0.0)
    assert at == START + 7 * DAY
    assert believable(at, START) == at
    assert believable(START + 100 * DAY, START) == 0.0


def test_rate_limited_without_a_moment_waits_an_hour() -> None:
    """Plus up to a minute, so that not all certificates come back in the same second; urgency changes nothing."""
    critical = Circumstances(Urgency.CRITICAL, lifetime=60.0)
    for chance in (0.0, 0.99):
        at = next_attempt(1, ErrorClass.RATE, None, critical, now=START, chance=chance)
        assert HOUR <= at - START < HOUR + MINUTE


def test_what_needs_a_human_is_repeated_daily() -> None:
    """Unless nothing valid is served: then hourly on the first day, each six hours later."""
    assert pause(1, ErrorClass.POLICY) == pause(1, ErrorClass.ACCOUNT) == DAY
    assert pause(1, ErrorClass.POLICY, Circumstances(Urgency.NOTHING_VALID, HOUR)) == HOUR
    assert pause(1, ErrorClass.POLICY, Circumstances(Urgency.NOTHING_VALID, 2 * DAY)) == 6 * HOUR


def test_our_own_trouble_is_repeated_each_minute() -> None:
    """It costs the CA nothing."""
    assert pause(50, ErrorClass.LOCAL) == MINUTE


def test_urgency_and_short_lifetimes_shorten_the_pause() -> None:
    """An hour under 10 %, a quarter of an hour at the very end, a twelfth of the lifetime for short-lived certificates."""
    assert pause(8, circumstances=Circumstances(Urgency.PRESSING, lifetime=90 * DAY)) == HOUR
    assert pause(8, circumstances=Circumstances(Urgency.CRITICAL, lifetime=90 * DAY)) == 15 * MINUTE
    assert pause(8, circumstances=Circumstances(Urgency.CALM, lifetime=HOUR)) == 5 * MINUTE
    assert pause(1, circumstances=Circumstances(Urgency.CALM, lifetime=30.0)) == 5.0


@given(st.floats(0, 4e9), CHANCES)
def test_polls_follow_the_ca_within_bounds(poll_again: float, chance: float) -> None:
    """Never sooner than a minute, never later than a day."""
    assert MINUTE <= polling.after_answer(poll_again, START, chance) - START <= DAY


@given(st.integers(1, 10**9), CLASSES, st.one_of(st.none(), st.floats(0, 4e9)))
def test_failed_polls_go_on(failures: int, error_class: ErrorClass, retry_after: float | None) -> None:
    """With pauses of a minute to six hours, or what the CA says up to a day."""
    wait = polling.after_failure(failures, error_class, retry_after, START) - START
    assert MINUTE <= wait <= DAY
    if retry_after is None:
        assert wait <= 6 * HOUR


@pytest.mark.parametrize("planned", [0.0, START - 5, START + 400 * DAY])
def test_the_first_poll_after_a_start_is_spread(planned: float) -> None:
    """Overdue and nonsensical plans become a moment within two minutes; a sensible one stays."""
    assert START <= polling.at_start(planned, 90 * DAY, START, 0.7) <= START + 120
    assert polling.at_start(START + HOUR, 90 * DAY, START, 0.7) == START + HOUR
