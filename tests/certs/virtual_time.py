"""An event loop whose time moves only when nothing is left to do, and a wall clock that can be made to jump.

Months of renewals run in a second, in the same order as in reality.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

START = 1_800_000_000.0
"""Wall-clock time at the start of every test: 2027-01-15."""


class _SkippingSelector(selectors.SelectSelector):
    """Instead of waiting for sockets it says how long the wait would have been."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        super().__init__()
        self._advance = advance

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "nothing will ever happen again"
        self._advance(timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` counts virtual seconds from 0."""

    def __init__(self) -> None:
        self._seconds = 0.0
        super().__init__(_SkippingSelector(self._advance))
        # The loop fires what is due before now + resolution; after months of seconds, a float no longer holds the default 1e-9.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._seconds

    def _advance(self, seconds: float) -> None:
        self._seconds += max(seconds, 0.0)


class WallClock:
    """POSIX time that follows the loop's, until it is made to jump."""

    def __init__(self, start: float = START) -> None:
        self._offset = start

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self._offset

    def jump(self, seconds: float) -> None:
        self._offset += seconds


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
