"""How many orders run at once, and how fast new ones may follow each other.

Half of what Let's Encrypt allows an account (300 new orders in 3 hours): the other half belongs to other machines with the
same account, and to the operator's own experiments.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

ORDERS_AT_ONCE = 4
BURST = 150
REFILL_SECONDS = 36.0


class Bucket:
    """A token bucket. Pure: `now` is a monotonic time."""

    def __init__(self, burst: float = BURST, refill_seconds: float = REFILL_SECONDS) -> None:
        self._burst = burst
        self._refill_seconds = refill_seconds
        self._tokens = burst
        self._at: float | None = None

    def take(self, now: float) -> float:
        """Take one token; returns the seconds to wait before using it (0.0: at once)."""
        if self._at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._at) / self._refill_seconds)
        self._at = now
        self._tokens -= 1
        return max(0.0, -self._tokens * self._refill_seconds)


class OrderGate:
    """Every attempt at one CA passes here."""

    def __init__(self, bucket: Bucket | None) -> None:
        self._slots = asyncio.Semaphore(ORDERS_AT_ONCE)
        self._bucket = bucket
        self._turn = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for one of the four slots, which is free again on leaving."""
        async with self._slots:
            yield

    async def pace(self) -> None:
        """Wait for the bucket. Asked when an order is really to be made: who finds that another node makes it takes nothing."""
        if self._bucket is not None:
            await asyncio.sleep(self._bucket.take(asyncio.get_running_loop().time()))

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Wait until no order is under way, and keep new ones waiting until leaving."""
        async with contextlib.AsyncExitStack() as stack:
            async with self._turn:  # two that each held some of the slots would wait for ever
                for _ in range(ORDERS_AT_ONCE):
                    await stack.enter_async_context(self._slots)
            yield
