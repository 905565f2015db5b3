"""The hold queue, against a list that is obviously right."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge.upstream.hold_queue import HoldQueue, Place

SECONDS = 10.0


def test_first_in_first_out() -> None:
    """`take` gives who has waited longest."""
    queue: HoldQueue[str] = HoldQueue(SECONDS)
    for name in "abc":
        assert queue.join(name, 0, now=0.0)
    assert [waiter for waiter, _ in queue.take(2)] == ["a", "b"]
    assert len(queue) == 1


def test_there_is_room_for_so_many_and_so_much() -> None:
    """Who finds none is told, and changes nothing; who leaves makes room."""
    queue: HoldQueue[str] = HoldQueue(SECONDS, max_held=2, max_bytes=10)
    assert queue.join("a", 6, 0.0)
    assert not queue.join("b", 5, 0.0)
    assert queue.join("b", 4, 0.0)
    assert not queue.join("c", 0, 0.0)
    queue.leave("a")
    assert queue.join("c", 6, 0.0)


def test_back_at_the_old_place() -> None:
    """With the old deadline: nobody waits longer than promised because it was let out in vain."""
    queue: HoldQueue[str] = HoldQueue(SECONDS)
    queue.join("a", 0, 0.0)
    queue.join("b", 0, 1.0)
    [(waiter, place)] = queue.take()
    queue.join("c", 0, 2.0)
    queue.put_back(waiter, place)
    assert queue.expire(SECONDS) == ["a"]
    assert [each for each, _ in queue.take(9)] == ["b", "c"]


class Model(RuleBasedStateMachine):
    """Any order of calls keeps order, room and deadlines."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: HoldQueue[int] = HoldQueue(SECONDS, max_held=5, max_bytes=20)
        self.waiting: list[tuple[int, float, int]] = []
        self.out: list[tuple[int, Place]] = []
        self.now = 0.0
        self.count = 0

    @rule(size=st.integers(0, 12))
    def join(self, size: int) -> None:
        room = len(self.waiting) < 5 and sum(each[2] for each in self.waiting) + size <= 20
        self.count += 1
        assert self.queue.join(self.count, size, self.now) == room
        if room:
            self.waiting.append((self.count, self.now + SECONDS, size))

    @rule(count=st.integers(1, 3))
    def take(self, count: int) -> None:
        taken = self.queue.take(count)
        assert [waiter for waiter, _ in taken] == [each[0] for each in self.waiting[:count]]
        del self.waiting[:count]
        self.out += taken

    @rule()
    def put_back(self) -> None:
        if self.out:
            waiter, place = self.out.pop()
            self.queue.put_back(waiter, place)
            self.waiting = sorted([*self.waiting, (waiter, place.deadline, place.size)])

    @rule(which=st.integers(1, 30))
    def leave(self, which: int) -> None:
        self.queue.leave(which)
        self.waiting = [each for each in self.waiting if each[0] != which]

    @rule(seconds=st.sampled_from([0.5, 3.0, 11.0]))
    def expire(self, seconds: float) -> None:
        self.now += seconds
        late = [each[0] for each in self.waiting if each[1] <= self.now]
        assert self.queue.expire(self.now) == late
        self.waiting = [each for each in self.waiting if each[1] > self.now]

    @invariant()
    def same_number(self) -> None:
        assert len(self.queue) == len(self.waiting)


TestModel = Model.TestCase


@given(st.lists(st.integers(0, 100)))
def test_nobody_is_lost(sizes: list[int]) -> None:
    """Everybody who joined is taken exactly once, in order."""
    queue: HoldQueue[int] = HoldQueue(SECONDS, max_held=10_000, max_bytes=10**9)
    for number, size in enumerate(sizes):
        assert queue.join(number, size, 0.0)
    assert [waiter for waiter, _ in queue.take(len(sizes))] == list(range(len(sizes)))
    assert not queue.expire(SECONDS + 1)
