"""Which event loop a worker runs. Sockets are driven directly on either, so the standard loop keeps up with uvloop."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from typing import Any

from edge.errors import ConfigError
from edge.telemetry.logs import get_logger

log = get_logger("process")


def check_loop(name: str) -> None:
    """Raises: ConfigError when the loop that the configuration names is not installed."""
    if name == "uvloop" and importlib.util.find_spec("uvloop") is None:
        raise ConfigError(["--loop uvloop: uvloop is not installed; pip install 'edge[fast]', or use --loop asyncio"])


def new_event_loop(name: str) -> asyncio.AbstractEventLoop:
    """A fresh loop, current in this thread, that logs what a callback raised and goes on."""
    if name == "uvloop":
        loop: asyncio.AbstractEventLoop = importlib.import_module("uvloop").new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    loop.set_exception_handler(_log_exception)
    asyncio.set_event_loop(loop)
    return loop


def _log_exception(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    log.error("callback failed", problem=str(context.get("message", "")), exc_info=context.get("exception"))
