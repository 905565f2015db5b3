"""Loading, in the supervisor, of what is otherwise loaded on first use.

A worker that has become another user may not be able to read our packages any more (a virtual environment in /root, say), and
what is loaded before the fork is memory that all workers share.
"""

from __future__ import annotations

import importlib
from typing import Final

from edge.config.schema import Config
from edge.config.storage_setting import server_of
from edge.process.event_loop import check_loop
from edge.storage.opening import check_package
from edge.wire.http2 import http2_engine_factory

LOADED_LATE: Final = (
    "concurrent.futures.thread",  # by asyncio's executor, in which host names are resolved
    "encodings.idna",  # by socket.getaddrinfo, for every host name
)
"""Modules of the standard library that a worker needs and no import statement of ours names."""


def preload(config: Config) -> None:
    """Load everything that workers of this configuration will run. Raises: ConfigError when something is not installed."""
    check_loop(config.loop)
    http2_engine_factory(config.http2_engine)
    if (server := server_of(config.storage)) is not None:
        check_package(server)
    if any(rules.compress != "never" for site in config.sites for rules in (site, *site.routes)):
        importlib.import_module("edge.handlers.compress")
    if any(rules.cache for site in config.sites for rules in (site, *site.routes)):
        importlib.import_module("edge.handlers.cache.handler")
    for name in LOADED_LATE:
        importlib.import_module(name)
