"""How cost grows with the number of names, each with a certificate of its own: start, memory, handshakes."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.arena import Arena
from benchmarks.certificates import make_key_pair
from benchmarks.contenders import FOR_HTTP1
from benchmarks.errors import BenchmarkError, first_and_last_line
from benchmarks.load.connections import run_handshakes
from benchmarks.results import Curve
from benchmarks.scenarios.growth import MICRO, Points, curve
from benchmarks.servers.recipe import KeyPair
from benchmarks.servers.running import Running

COUNTS = (1, 100, 400, 1000, 10_000)
START_TIMEOUT = 90.0
"""Seconds; a server that needs longer for its names is reported as such and left out."""

SAMPLE = 500
"""Names that the handshakes of one run go through, evenly taken from all of them."""


def grow_names(arena: Arena, counts: Sequence[int] = COUNTS) -> tuple[tuple[Curve, ...], list[str]]:
    """Three curves (handshake CPU, memory, seconds to the first handshake), and who did not manage what."""
    pairs = [make_key_pair(arena.directory / "names", f"n{number}.example") for number in range(max(counts))]
    handshakes: Points = {}
    memory: Points = {}
    start: Points = {}
    skipped = []
    for count in counts:
        for name in filter(arena.takes_part, FOR_HTTP1):
            try:
                with arena.line_up([name], key_pairs=tuple(pairs[:count]), start_timeout=START_TIMEOUT) as (server,):
                    start.setdefault(name, []).append((count, server.started_in))
                    handshakes.setdefault(name, []).append((count, _handshake_cpu(arena, server, pairs[:count])))
                    memory.setdefault(name, []).append((count, server.memory_bytes() / 1024 / 1024))
            except (BenchmarkError, OSError) as problem:
                skipped.append(f"{count:,} names, {name}: {first_and_last_line(problem)}")
    return _curves(handshakes, memory, start), skipped


def _handshake_cpu(arena: Arena, server: Running, pairs: Sequence[KeyPair]) -> float:
    """Microseconds of a full handshake, going through `SAMPLE` names."""
    step = max(len(pairs) // SAMPLE, 1)
    names = [pair.names[0] for pair in pairs[::step]]
    report = run_handshakes(server, "/static/1k.bin", arena.seconds, resume=False, names=names)
    return report.cpu_each * MICRO


def _curves(handshakes: Points, memory: Points, start: Points) -> tuple[Curve, ...]:
    note = f"Each name has a certificate and a site of its own; handshakes go through up to {SAMPLE} names."
    return (
        curve("names-handshake", "Names and handshakes", "names", "CPU µs a full handshake", handshakes, note),
        curve("names-memory", "Names and memory", "names", "MiB after those handshakes", memory, note),
        curve("names-start", "Names and the start", "names", "seconds to the first handshake", start, note),
    )
