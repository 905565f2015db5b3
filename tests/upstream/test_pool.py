"""Idle connections to one origin."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.upstream.pool import IdlePool


def test_the_newest_is_claimed_first() -> None:
    """So that the others grow old and go."""
    pool: IdlePool[str] = IdlePool()
    pool.release("old", 0.0)
    pool.release("new", 1.0)
    assert pool.claim(1.1) == "new"
    assert pool.claim(1.1) == "old"
    assert pool.claim(1.1) is None


def test_one_that_the_origin_may_have_closed_is_not_claimed() -> None:
    """Older than POOL_IDLE_TIMEOUT; it stays known until its deadline closes it."""
    pool: IdlePool[str] = IdlePool()
    pool.release("a", 0.0)
    assert pool.claim(1.5) is None
    assert len(pool) == 1


def test_a_full_pool_gives_the_oldest_back() -> None:
    """The caller closes what `release` returns."""
    pool: IdlePool[int] = IdlePool(max_idle=2)
    assert pool.release(1, 0.0) is None
    assert pool.release(2, 0.1) is None
    assert pool.release(3, 0.2) == 1
    assert len(pool) == 2


def test_drain_empties() -> None:
    """Everything idle is handed out to be closed."""
    pool: IdlePool[int] = IdlePool()
    pool.release(1, 0.0)
    pool.release(2, 0.0)
    assert pool.drain() == [1, 2]
    assert len(pool) == 0


@given(st.lists(st.sampled_from(["claim", "release", "discard", "wait"]), max_size=60))
def test_no_connection_is_lost_or_handed_out_twice(steps: list[str]) -> None:
    """Every connection is at any time claimed, idle, or returned to be closed: exactly one of the three."""
    pool: IdlePool[int] = IdlePool(max_idle=3)
    claimed, idle, closed, made, now = set[int](), set[int](), set[int](), 0, 0.0
    for step in steps:
        now += 2.0 if step == "wait" else 0.1
        if step == "claim":
            connection = pool.claim(now)
            if connection is None:
                made += 1
                connection = made
            else:
                idle.remove(connection)
            assert connection not in claimed | closed
            claimed.add(connection)
        elif step == "release" and claimed:
            connection = claimed.pop()
            idle.add(connection)
            surplus = pool.release(connection, now)
            if surplus is not None:
                idle.remove(surplus)
                closed.add(surplus)
        elif step == "discard" and idle:
            connection = idle.pop()
            pool.discard(connection)
            closed.add(connection)
        assert len(pool) == len(idle) <= 3
