"""edge against nginx, for a few seconds: a change that makes edge several times slower does not go unnoticed.

Only ratios of CPU time inside one run are looked at, and the bar is far below what edge reaches, so that a busy machine
does not fail it. The figures that count are in `docs/benchmarks/`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.arena import Arena
from benchmarks.cores import choose_cores
from benchmarks.load.work import Work
from benchmarks.report.bars import cpu_ratio
from benchmarks.report.tables import detail_table
from benchmarks.results import Comparison
from benchmarks.rounds import alternate
from benchmarks.servers.running import Running
from benchmarks.tools import require

LEAST = 0.3
"""nginx's CPU time a request divided by edge's."""

ATTEMPTS = 2
SCENARIOS = (
    ("static-1k", "static 1 KiB", "http/1.1", Work(paths=("/static/1k.bin",), connections=32)),
    ("proxied-1k", "proxied 1 KB", "http/1.1", Work(paths=("/",), connections=32)),
    ("static-1k", "static 1 KiB", "h2", Work(paths=("/static/1k.bin",), connections=32, streams=4)),
)


def compare(arena: Arena, servers: list[Running], key: str, title: str, protocol: str, work: Work) -> Comparison:
    """One round of a second each."""
    entries = alternate(servers, 1, lambda server: arena.measure(server, work, protocol))
    return Comparison(key, title, protocol, "request", None, entries)


def is_fast_enough(comparison: Comparison) -> bool:
    """Above the bar, and every request answered."""
    ratio = cpu_ratio(comparison, "edge", "nginx")
    return ratio is not None and ratio >= LEAST and not any(entry.failures for entry in comparison.entries)


def test_edge_is_not_several_times_slower_than_nginx(tmp_path: Path) -> None:
    """CPU time a request stays below nginx's divided by 0.3, static and proxied, over HTTP/1.1 and HTTP/2 (ngh2)."""
    require(("nginx", "wrk", "h2load", "taskset"))
    arena = Arena(tmp_path, choose_cores(), ("edge", "nginx"), rounds=1, seconds=1)
    with arena.opened(), arena.line_up(("edge", "nginx")) as servers:
        for _ in range(ATTEMPTS):
            comparisons = [compare(arena, servers, *scenario) for scenario in SCENARIOS]
            if all(map(is_fast_enough, comparisons)):
                return
    tables = "\n".join(detail_table(each) for each in comparisons if not is_fast_enough(each))
    pytest.fail(f"edge needs more than nginx's CPU time divided by {LEAST}:\n{tables}")
