"""What a CA still allows, from what has been spent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.certs.budget import LIMITS, Kind, Limit, Tally, bucket_level, in_words

CA = "Let's Encrypt"
NOW = 1_800_000_000.0
HOUR, DAY = 3600.0, 86400.0


def left(tally: Tally, kind: Kind, now: float, *names: str) -> int:
    return next(budget.left for budget in tally.budgets(CA, names or ("a.test",), now) if budget.kind is kind)


def test_five_duplicates_a_week_come_back_one_by_one() -> None:
    """After the fifth certificate for the same names the next one is possible 33.6 hours after the first token began to grow."""
    tally = Tally()
    for number in range(5):
        assert tally.exhausted(CA, ("a.test", "b.test"), NOW + number) is None
        tally.issuance(CA, ("b.test", "a.test"), NOW + number)
    spent = tally.exhausted(CA, ("a.test", "b.test"), NOW + 5)
    assert spent is not None
    assert (spent.kind, spent.left, spent.count) == (Kind.DUPLICATES, 0, 5)
    assert abs(spent.frees_at - (NOW + 7 * DAY / 5)) < 1
    assert tally.exhausted(CA, ("a.test", "b.test"), spent.frees_at) is None
    assert "exactly the same names in 7 days" in in_words(spent, CA)


def test_other_names_and_other_cas_have_budgets_of_their_own() -> None:
    """A set of names is exactly a set; what one CA has seen another has not."""
    tally = Tally()
    for _ in range(5):
        tally.issuance(CA, ("a.test",), NOW)
    assert left(tally, Kind.DUPLICATES, NOW) == 0
    assert left(tally, Kind.DUPLICATES, NOW, "a.test", "b.test") == 5
    assert tally.exhausted("Let's Encrypt (staging)", ("a.test",), NOW) is None


def test_failed_validations_count_per_name() -> None:
    """Five an hour for each name; the tightest of an order's names is told."""
    tally = Tally()
    for number in range(5):
        tally.failure(CA, ("b.test",), NOW + number)
    spent = tally.exhausted(CA, ("a.test", "b.test", "c.test"), NOW + 5)
    assert spent is not None
    assert (spent.kind, spent.subject) == (Kind.FAILURES, "b.test")
    assert abs(spent.frees_at - (NOW + 12 * 60)) < 1
    assert tally.exhausted(CA, ("a.test",), NOW + 5) is None


def test_orders_count_for_the_account() -> None:
    """300 in three hours, whatever their names; one comes back every 36 s."""
    tally = Tally()
    for _ in range(300):
        tally.order(CA, NOW)
    spent = tally.exhausted(CA, ("any.test",), NOW)
    assert spent is not None
    assert spent.kind is Kind.ORDERS
    assert abs(spent.frees_at - NOW - 36) < 0.01


def test_an_unknown_ca_has_no_budget() -> None:
    """It is asked, and says itself what it does not like."""
    tally = Tally()
    tally.order("ca.example", NOW)
    assert tally.budgets("ca.example", ("a.test",), NOW) == []
    assert tally.exhausted("ca.example", ("a.test",), NOW) is None


def test_events_of_a_wrong_clock_do_not_count() -> None:
    """What is said to happen in the future has not happened yet."""
    tally = Tally()
    for _ in range(5):
        tally.issuance(CA, ("a.test",), NOW + 30 * DAY)
    assert tally.exhausted(CA, ("a.test",), NOW) is None


@given(st.lists(st.floats(0, 8 * DAY)), st.floats(8 * DAY, 30 * DAY))
def test_a_bucket_is_never_outside_its_bounds(offsets: list[float], now: float) -> None:
    """Between empty and full, and full again one window after the last event."""
    limit = LIMITS[CA][1]
    times = sorted(offsets)
    level = bucket_level(times, limit, now)
    assert 0 <= level <= limit.count + 1e-6
    assert bucket_level(times, limit, 8 * DAY + limit.window) >= limit.count - 1e-6


@given(st.lists(st.floats(0, HOUR), min_size=1, max_size=20), st.integers(1, 10))
def test_waiting_as_told_is_enough(offsets: list[float], count: int) -> None:
    """At the time that is named one more event fits, and not much earlier."""
    limit = Limit(Kind.ORDERS, count, HOUR)
    times = sorted(offsets)
    now = times[-1]
    level = bucket_level(times, limit, now)
    if level < 1:
        frees_at = now + (1 - level) * limit.refill
        assert bucket_level(times, limit, frees_at + 0.001) >= 1
        assert bucket_level(times, limit, frees_at - 1) < 1
