"""What a connection costs that does nothing."""

from __future__ import annotations

import time

from benchmarks.arena import Arena
from benchmarks.contenders import FOR_HTTP1
from benchmarks.errors import ServerFailed
from benchmarks.load.connections import idle_connections, is_open
from benchmarks.results import Reading
from benchmarks.servers.running import Running

CONNECTIONS = 5000
SETTLE = 1.0
"""Seconds after the last connection until memory is read."""


def read_memory(arena: Arena, count: int = CONNECTIONS) -> tuple[Reading, Reading]:
    """Memory of a fresh server, and what each of `count` idle connections adds to it."""
    alone: dict[str, float] = {}
    each: dict[str, float] = {}
    for name in filter(arena.takes_part, FOR_HTTP1):
        with arena.line_up([name]) as (server,):
            before = float(server.memory_bytes())
            alone[name] = before / 1024 / 1024
            each[name] = (_with_connections(server, count) - before) / count / 1024
    return (
        Reading("memory-fresh", "memory after the start", "MiB", alone),
        Reading("memory-idle", f"memory of each of {count:,} idle TLS connections", "KiB", each),
    )


def _with_connections(server: Running, count: int) -> int:
    with idle_connections(server.port, count, "/static/1k.bin") as held:
        time.sleep(SETTLE)
        used = server.memory_bytes()
        still = sum(map(is_open, held))
    if still < count:
        raise ServerFailed(f"{server.name} ended {count - still} of {count} idle connections")
    return used
