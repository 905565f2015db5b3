"""How cost grows with workers, connections and routes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from benchmarks.arena import Arena
from benchmarks.contenders import FOR_HTTP1
from benchmarks.load.h2load import run_h2load
from benchmarks.load.work import Report, Work
from benchmarks.load.wrk import run_wrk
from benchmarks.results import Curve, Line
from benchmarks.servers.running import Running

MICRO = 1e6
CPU_LABEL = "CPU µs a request"
CONNECTIONS = 32

Points = dict[str, list[tuple[float, float]]]
"""Contender → its points so far."""


def grow_workers(arena: Arena, counts: Sequence[int] = (1, 2)) -> Curve:
    """CPU a request with more processes, on all cores (the load generator shares the last one)."""
    points: Points = {}
    run = partial(_run_wrk, arena, Work(paths=("/",), connections=CONNECTIONS))
    for count in counts:
        with arena.line_up(FOR_HTTP1, workers=count, cores=arena.cores.every) as servers:
            collect(points, count, arena.rounds, servers, run)
    note = "Proxied 1 KB over HTTP/1.1. Caddy has no processes to count: it gets as many cores as the others."
    return curve("workers", "Worker processes", "workers", CPU_LABEL, points, note)


def grow_connections(arena: Arena, counts: Sequence[int] = (10, 100, 1000, 5000)) -> Curve:
    """CPU a request when more and more connections take turns."""
    points: Points = {}
    with arena.line_up(FOR_HTTP1) as servers:
        for count in counts:
            run = partial(_run_h2load, arena, Work(paths=("/static/1k.bin",), connections=count))
            collect(points, count, arena.rounds, servers, run)
    note = "Static 1 KiB over HTTP/1.1, all connections busy, handshakes not counted."
    return curve("connections", "Connections", "connections", CPU_LABEL, points, note)


def grow_routes(arena: Arena, counts: Sequence[int] = (1, 10, 100, 1000)) -> Curve:
    """CPU a request with more and more static mounts, all of them in use."""
    points: Points = {}
    for count in counts:
        mounts = {f"/mount-{number}": arena.static for number in range(count)}
        run = partial(_run_wrk, arena, Work(paths=tuple(f"{each}/1k.bin" for each in mounts), connections=CONNECTIONS))
        with arena.line_up(FOR_HTTP1, mounts=mounts) as servers:
            collect(points, count, arena.rounds, servers, run)
    return curve("routes", "Static mounts", "mounts", CPU_LABEL, points, "Static 1 KiB over HTTP/1.1, mounts in turn.")


def _run_wrk(arena: Arena, work: Work, server: Running) -> Report:
    return run_wrk(work, server, arena.cores, arena.seconds)


def _run_h2load(arena: Arena, work: Work, server: Running) -> Report:
    return run_h2load(work, server, arena.cores, "http/1.1", arena.seconds)


def collect(
    points: Points, x: float, rounds: int, servers: Iterable[Running], run: Callable[[Running], Report]
) -> None:
    """Add each server's best round at `x`: disturbance only ever adds."""
    chosen = list(servers)
    seen: dict[str, list[float]] = {server.name: [] for server in chosen}
    for _ in range(rounds):
        for server in chosen:
            seen[server.name].append(run(server).cpu_each)
    for name, values in seen.items():
        points.setdefault(name, []).append((x, min(values) * MICRO))


def curve(key: str, title: str, x_label: str, y_label: str, points: Points, note: str) -> Curve:
    """Collected points as a result."""
    lines = tuple(Line(name, tuple(values)) for name, values in points.items())
    return Curve(key, title, x_label, y_label, lines, note)
