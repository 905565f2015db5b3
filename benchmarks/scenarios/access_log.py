"""What the access log costs: the same server with and without it."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.arena import Arena
from benchmarks.load.work import Work
from benchmarks.results import Comparison
from benchmarks.rounds import alternate
from benchmarks.scenarios.requests import CONNECTIONS
from benchmarks.servers.running import Running

NAMES = ("edge", "edge-log", "nginx", "nginx-log")
WORKS = (
    ("static", "static 1 KiB", Work(paths=("/static/1k.bin",), connections=CONNECTIONS)),
    ("proxied", "proxied 1 KB", Work(paths=("/",), connections=CONNECTIONS)),
)


def compare_access_log(arena: Arena) -> tuple[Comparison, ...]:
    """One comparison for static files, one for proxied requests; both write their log to a file."""
    with arena.line_up(NAMES) as servers:
        return tuple(_compare(arena, servers, *work) for work in WORKS)


def _compare(arena: Arena, servers: Sequence[Running], key: str, title: str, work: Work) -> Comparison:
    for server in servers:
        arena.measure(server, work, "http/1.1", seconds=1)  # warms everybody up, as in the other comparisons
    entries = alternate(servers, arena.rounds, lambda server: arena.measure(server, work, "http/1.1"))
    return Comparison(f"log-{key}", f"{title}, access log on and off", "http/1.1", "request", None, entries)
