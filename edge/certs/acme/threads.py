"""Blocking calls beside the event loop, each on a daemon thread of its own.

Never the default executor: it also resolves names for the rest of the process. Never an executor at all: its threads are
joined at exit, so one that waits for a silent CA would delay a stop. An order makes some twenty calls; starting a thread
costs nothing beside one round trip.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def call(function: Callable[[], T]) -> T:
    """What `function()` returns or raises. When this is cancelled the thread is left behind and its result dropped."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def deliver(set_outcome: Callable[[], None]) -> None:
        if not future.done():
            set_outcome()

    def run() -> None:
        try:
            result = function()
        except BaseException as exc:  # carried to whoever awaits
            outcome = _raiser(future, exc)
        else:
            outcome = _returner(future, result)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(deliver, outcome)

    threading.Thread(target=run, name="edge-acme", daemon=True).start()
    return await future


def _raiser(future: asyncio.Future[T], exc: BaseException) -> Callable[[], None]:
    return lambda: future.set_exception(exc)


def _returner(future: asyncio.Future[T], result: T) -> Callable[[], None]:
    return lambda: future.set_result(result)
