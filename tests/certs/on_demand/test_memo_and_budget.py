"""What is remembered of strangers' names, and how often something may happen: both bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.certs.on_demand.budget import Budget, Level
from edge.certs.on_demand.memo import Memo
from edge.certs.on_demand.order_budget import KEY, OrderBudget
from edge.config.on_demand_schema import AskCallable, OnDemand
from tests.certs.fakes import MemoryStorage, disk_full

HOUR = 3600.0


def test_a_verdict_holds_until_its_time() -> None:
    """Then it is as if it had never been."""
    memo = Memo()
    memo.put("a.com", is_welcome=True, until=10.0)
    memo.put("b.com", is_welcome=False, until=20.0)
    assert (memo.get("a.com", 9.9), memo.get("b.com", 9.9), memo.get("c.com", 9.9)) == (True, False, None)
    assert (memo.get("a.com", 10.0), memo.get("b.com", 10.0)) == (None, False)
    assert (memo.lasts("b.com", 15.0), memo.lasts("a.com", 15.0)) == (5.0, 0.0)
    assert len(memo) == 1


def test_the_oldest_verdict_makes_room() -> None:
    """The number of verdicts does not grow with the number of names that strangers invent."""
    memo = Memo(most=3)
    for name in ("a", "b", "c", "a", "d"):
        memo.put(name, is_welcome=True, until=99.0)
    assert [memo.get(name, 0.0) for name in "abcd"] == [True, None, True, True]


def test_a_budget_lets_a_burst_through_and_then_a_trickle() -> None:
    """So many at once, then one each time a share of the period has gone by; keys do not know each other."""
    budget = Budget(3, 60.0)
    assert [budget.take("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert budget.take("b", 0.0)
    assert budget.wait("a", 0.0) == pytest.approx(20.0)
    assert not budget.take("a", 19.0)
    assert budget.take("a", 20.0)


@given(st.lists(st.floats(0, 100), max_size=60), st.integers(1, 5))
def test_no_order_of_events_gives_more_than_the_budget(gaps: list[float], count: int) -> None:
    """In any stretch of time there are at most the burst and what has flowed in since."""
    budget, now, taken = Budget(count, 100.0), 0.0, 0
    for gap in gaps:
        now += gap
        taken += budget.take("key", now)
    assert taken <= count + now * count / 100.0 + 1e-6


def test_the_number_of_buckets_is_bounded() -> None:
    """The one used longest ago is forgotten; full ones are not kept at all."""
    budget = Budget(1, 60.0, most_keys=2)
    for key in "abc":
        budget.take(key, 0.0)
    assert list(budget.levels) == ["b", "c"]
    budget.tidy(61.0)
    assert not budget.levels


def test_a_clock_that_was_wrong_does_not_freeze_a_budget() -> None:
    """What was kept with a moment of the future counts as of now."""
    budget = Budget(1, 60.0)
    budget.restore({"a": Level(0.0, 1e12)}, 100.0)
    assert budget.wait("a", 100.0) == pytest.approx(60.0)


def settings(**changes: int) -> OnDemand:
    return OnDemand(AskCallable("m", "f"), **changes)


def test_one_domain_cannot_use_up_what_others_need() -> None:
    """Its own budget of the week ends first, and not taking is not paid for."""
    orders = OrderBudget(settings(orders_per_domain=2), MemoryStorage(), 0.0)
    assert [orders.take("a.com", 0.0) for _ in range(2)] == [0.0, 0.0]
    assert orders.take("a.com", 0.0) == pytest.approx(7 * 24 * HOUR / 2)
    assert orders.take("b.com", 0.0) == 0.0


def test_all_domains_together_have_a_budget_for_the_hour() -> None:
    """However many domains there are."""
    orders = OrderBudget(settings(orders_per_hour=3), MemoryStorage(), 0.0)
    assert [orders.take(f"{number}.com", 0.0) for number in range(3)] == [0.0] * 3
    assert orders.take("4.com", 0.0) == pytest.approx(HOUR / 3)


def test_a_restart_does_not_renew_the_budget() -> None:
    """A keeper that dies again and again orders no more than one that lives."""
    storage = MemoryStorage()
    OrderBudget(settings(orders_per_domain=1), storage, 0.0).take("a.com", 0.0)
    assert OrderBudget(settings(orders_per_domain=1), storage, 60.0).take("a.com", 60.0) > HOUR


def test_nodes_that_share_a_storage_share_the_budget() -> None:
    """What one of them has ordered the others cannot order as well."""
    storage = MemoryStorage()
    one, other = (OrderBudget(settings(orders_per_domain=1), storage, 0.0) for _ in range(2))
    assert one.take("a.com", 0.0) == 0.0
    assert other.take("a.com", 1.0) > HOUR


@pytest.mark.parametrize("kept", [b"", b"[]", b'{"hour": 3}', b"\xff"])
def test_a_damaged_file_is_no_obstacle(kept: bytes) -> None:
    """Then the budget begins anew."""
    storage = MemoryStorage()
    storage.files[KEY] = kept
    assert OrderBudget(settings(), storage, 0.0).take("a.com", 0.0) == 0.0


def test_a_full_disk_is_no_obstacle() -> None:
    """The budget then holds in memory."""

    def fail(operation: str, _key: str) -> None:
        if operation == "store":
            raise disk_full()

    storage = MemoryStorage()
    storage.before = fail
    orders = OrderBudget(settings(orders_per_domain=1), storage, 0.0)
    assert orders.take("a.com", 0.0) == 0.0
    assert orders.take("a.com", 0.0) > 0.0
