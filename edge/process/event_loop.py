"""Which event loop a worker runs: uvloop where it is installed, else the standard one.

Sockets are driven directly on either; what uvloop saves is the interpreter's work around each callback.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from typing import Any

from edge.errors import ConfigError
from edge.telemetry.logs import get_logger

log = get_logger("process")


def check_loop(name: str) -> None:
    """Load the loop in the supervisor: a worker that has become another user may not be able to read our packages.

    Raises: ConfigError when it is not installed."""
    if name == "asyncio":
        return
    try:
        importlib.import_module("uvloop")
    except ImportError as problem:
        if name == "auto":
            return
        complaint = "--loop uvloop: uvloop is not installed; pip install 'edge[fast]', or use --loop asyncio"
        raise ConfigError([complaint]) from problem


def new_event_loop(name: str) -> asyncio.AbstractEventLoop:
    """A fresh loop, current in this thread, that logs what a callback raised and goes on."""
    uvloop = sys.modules.get("uvloop") if name != "asyncio" else None
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop() if uvloop else asyncio.new_event_loop()
    loop.set_exception_handler(_log_exception)
    asyncio.set_event_loop(loop)
    return loop


def _log_exception(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    log.error("callback failed", problem=str(context.get("message", "")), exc_info=context.get("exception"))
