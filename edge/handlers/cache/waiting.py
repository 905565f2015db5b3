"""Visitors who wait for an answer that somebody else has asked for, in this worker or in another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from edge.handlers.cache.asking import Asking
from edge.net.deadlines import Deadlines

MAX_WAIT: Final = 5.0
"""Seconds; then a visitor goes to the origin alone. nginx 5 s (proxy_cache_lock_timeout)."""

MAX_WAITERS: Final = 1000
"""In a worker; the next one goes alone. As many as an upstream holds while it restarts."""


class Waiter:
    """The receiver of an exchange that waits."""

    def __init__(self, asking: Asking, name: bytes, room: WaitingRoom) -> None:
        self.asking: Final = asking
        self.deadline = asking.until
        self._name = name
        self._room = room
        asking.exchange.receiver = self

    def body_received(self, data: bytes) -> None:
        """Only requests without a body wait."""

    def body_ended(self) -> None:
        """See `body_received`."""

    def resume_sending(self) -> None:
        """Nothing has been sent."""

    def exchange_aborted(self, reason: str) -> None:
        """The visitor has gone."""
        self._room.leave(self._name, self)

    def deadline_passed(self, now: float) -> None:
        """Enough."""
        self._room.leave(self._name, self)
        self._room.give_up(self.asking)


class WaitingRoom:
    """All who wait in this worker, by the name of what they wait for. `give_up` is called for those who have waited too long."""

    def __init__(self, deadlines: Deadlines, give_up: Callable[[Asking], None]) -> None:
        self.give_up: Final = give_up
        self._deadlines = deadlines
        self._waiters: dict[bytes, dict[Waiter, None]] = {}  # in the order in which they came
        self._count = 0

    def __repr__(self) -> str:
        return f"<WaitingRoom {self._count}>"

    @property
    def names(self) -> list[bytes]:
        """What somebody waits for."""
        return list(self._waiters)

    def enter(self, name: bytes, asking: Asking, now: float) -> bool:
        """Wait; False when the room is full or this visitor has waited enough."""
        if not asking.until:
            asking.until = now + MAX_WAIT
        if self._count >= MAX_WAITERS or asking.until <= now:
            return False
        waiter = Waiter(asking, name, self)
        self._waiters.setdefault(name, {})[waiter] = None
        self._deadlines.add(waiter)
        self._count += 1
        return True

    def has(self, name: bytes) -> bool:
        """Whether somebody waits for it."""
        return name in self._waiters

    def call(self, name: bytes, wanted: Callable[[Asking], bool] | None = None) -> list[Asking]:
        """All who wait for it, or those who are `wanted`, in the order in which they came; they wait no longer."""
        called = [each for each in self._waiters.get(name, ()) if wanted is None or wanted(each.asking)]
        for waiter in called:
            self.leave(name, waiter)
        return [waiter.asking for waiter in called]

    def leave(self, name: bytes, waiter: Waiter) -> None:
        """One of them goes."""
        waiters = self._waiters[name]
        del waiters[waiter]
        if not waiters:
            del self._waiters[name]
        waiter.asking.exchange.receiver = None
        self._deadlines.discard(waiter)
        self._count -= 1
