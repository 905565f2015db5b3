"""Connections to one origin: how many there are, and the idle ones, newest last.

The newest is claimed first: the others then grow old and go, so that the pool shrinks to what the traffic needs. Pure: the
pool closes nothing, it returns what its caller must close. It does not know what a connection is.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from edge.http.limits import POOL_IDLE_TIMEOUT

MAX_IDLE: Final = 256
"""Idle connections kept per origin. One more is closed: an application server has fewer threads than that."""

T = TypeVar("T")


class IdlePool(Generic[T]):
    """What can carry another request, with the time since when it waits."""

    def __init__(self, max_idle: int = MAX_IDLE, idle_timeout: float = POOL_IDLE_TIMEOUT) -> None:
        self._idle: dict[T, float] = {}  # insertion order is age: the first is the oldest
        self._members: set[T] = set()
        self._max_idle = max_idle
        self._idle_timeout = idle_timeout

    def __len__(self) -> int:
        return len(self._idle)

    def __repr__(self) -> str:
        return f"<IdlePool {len(self._idle)} idle>"

    @property
    def busy(self) -> int:
        """How many connections live and are not idle. Counted where connections come and go, so that requests pay nothing."""
        return len(self._members) - len(self._idle)

    def opened(self, connection: T) -> None:
        """A new connection, which is not idle yet."""
        self._members.add(connection)

    def lost(self, connection: T) -> None:
        """A connection is gone."""
        self._members.discard(connection)
        self.discard(connection)

    def claim(self, now: float) -> T | None:
        """Take the newest connection, or None if there is none that the origin surely still keeps open.

        When the newest is too old so are all others; they stay until their deadline closes them.
        """
        if not self._idle:
            return None
        connection, since = self._idle.popitem()
        if now - since < self._idle_timeout:
            return connection
        self._idle[connection] = since
        return None

    def release(self, connection: T, now: float) -> T | None:
        """Give a connection back. Returns one that the caller must close because the pool is full, or None."""
        self._idle[connection] = now
        if len(self._idle) <= self._max_idle:
            return None
        oldest = next(iter(self._idle))
        del self._idle[oldest]
        return oldest

    def discard(self, connection: T) -> None:
        """It is idle no longer; no error when it was not."""
        self._idle.pop(connection, None)

    def drain(self) -> list[T]:
        """Empty the pool; the caller must close what it returns."""
        idle, self._idle = list(self._idle), {}
        return idle
