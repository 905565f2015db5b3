"""Which event loop a worker runs. Sockets are driven directly on either, so the standard loop keeps up with uvloop.

uvloop is never chosen unasked: it stops watching a socket that was reset without calling anybody, so that an origin's or a
visitor's reset is found out by a deadline only.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
from typing import Any, Final

from edge.errors import ConfigError
from edge.telemetry.logs import get_logger

EXIT_OUT_OF_MEMORY: Final = 12
"""Exit status of a process that got no memory; ENOMEM, as a hint to who reads it."""

log = get_logger("process")


def check_loop(name: str) -> None:
    """Load the loop in the supervisor: a worker that has become another user may not be able to read our packages.

    Raises: ConfigError when it is not installed."""
    if name == "uvloop":
        try:
            importlib.import_module("uvloop")
        except ImportError as problem:
            complaint = "--loop uvloop: uvloop is not installed; pip install 'edge[fast]', or use --loop asyncio"
            raise ConfigError([complaint]) from problem


def new_event_loop(name: str) -> asyncio.AbstractEventLoop:
    """A fresh loop, current in this thread, that logs what a callback raised and goes on; without memory it ends the process."""
    if name == "uvloop":
        loop: asyncio.AbstractEventLoop = importlib.import_module("uvloop").new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    loop.set_exception_handler(_log_exception)
    asyncio.set_event_loop(loop)
    return loop


def _log_exception(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    problem = context.get("exception")
    if isinstance(problem, MemoryError):
        _end_without_memory()
    log.error("callback failed", problem=str(context.get("message", "")), exc_info=problem)


def _end_without_memory() -> None:
    """Whatever was under way is half done, a timer may not have been set again: nothing in this process can be relied on. The
    supervisor starts another one, which begins small."""
    with contextlib.suppress(MemoryError):
        log.error("out of memory, another process takes over")
    os._exit(EXIT_OUT_OF_MEMORY)
