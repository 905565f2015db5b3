"""Taking turns: every contender once in each round, and nobody always first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.load.work import Report
from benchmarks.results import Entry
from benchmarks.servers.running import Running


def turns(names: Sequence[str], rounds: int) -> list[list[str]]:
    """The order of each round; the first one of a round is the second one of the round before."""
    return [[names[(turn + number) % len(names)] for turn in range(len(names))] for number in range(rounds)]


def alternate(
    servers: Sequence[Running], rounds: int, run: Callable[[Running], Report], origin: Running | None = None
) -> tuple[Entry, ...]:
    """Run every server once a round. With `origin`, its CPU time is recorded beside the server's."""
    by_name = {server.name: server for server in servers}
    reports: dict[str, list[Report]] = {name: [] for name in by_name}
    origin_cpu: dict[str, list[float]] = {name: [] for name in by_name}
    for order in turns(list(by_name), rounds):
        for name in order:
            before = origin.cpu_seconds() if origin else 0.0
            reports[name].append(run(by_name[name]))
            if origin:
                origin_cpu[name].append(origin.cpu_seconds() - before)
    return tuple(Entry(name, tuple(reports[name]), tuple(origin_cpu[name])) for name in by_name)
