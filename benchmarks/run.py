"""One whole run, in the order of the report."""

from __future__ import annotations

import fnmatch
import shlex
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from subprocess import TimeoutExpired
from typing import TypeVar

from msgspec import Struct

from benchmarks.arena import Arena
from benchmarks.contenders import FOR_HTTP2
from benchmarks.errors import BenchmarkError, first_and_last_line
from benchmarks.machine import describe_machine, describe_versions
from benchmarks.results import Comparison, Curve, Reading, Results
from benchmarks.scenarios.access_log import compare_access_log
from benchmarks.scenarios.django import compare_django
from benchmarks.scenarios.fairness import check_all
from benchmarks.scenarios.growth import grow_connections, grow_routes, grow_workers
from benchmarks.scenarios.handshakes import compare_handshakes
from benchmarks.scenarios.idle import CONNECTIONS as IDLE_CONNECTIONS
from benchmarks.scenarios.idle import read_memory
from benchmarks.scenarios.names import grow_names
from benchmarks.scenarios.requests import compare, scenarios

QUICK_IDLE_CONNECTIONS = 500

T = TypeVar("T")


class Choice(Struct, frozen=True):
    """What was asked for: `patterns` select scenarios by key (`*` and `?` as in file names)."""

    quick: bool
    patterns: tuple[str, ...]

    def wants(self, key: str, *, is_quick: bool) -> bool:
        """Whether a scenario takes part. A pattern given by name beats `quick`."""
        if self.patterns:
            return any(fnmatch.fnmatch(key, pattern) for pattern in self.patterns)
        return is_quick or not self.quick


class Run:
    """Collects results; a scenario that fails is named in them and the others go on."""

    def __init__(self, arena: Arena, choice: Choice, say: Callable[[str], None]) -> None:
        self._arena = arena
        self._choice = choice
        self._say = say
        self._began = time.monotonic()
        self._comparisons: list[Comparison] = []
        self._readings: list[Reading] = []
        self._curves: list[Curve] = []
        self._skipped: list[str] = []
        self._commands: dict[str, str] = {}
        self._negotiated: dict[str, str] = {}

    def perform(self) -> Results:
        """Everything that was chosen."""
        machine, versions = describe_machine(), describe_versions()
        self._compare_side_by_side()
        self._compare_alone()
        self._read_memory()
        self._grow()
        return Results(
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            minutes=(time.monotonic() - self._began) / 60,
            command=shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]),
            quick=self._choice.quick,
            rounds=self._arena.rounds,
            seconds=self._arena.seconds,
            machine=machine | {f"TLS of {name}": tls for name, tls in self._negotiated.items()},
            versions=versions,
            commands=self._commands,
            comparisons=tuple(self._comparisons),
            readings=tuple(self._readings),
            curves=tuple(self._curves),
            skipped=tuple(self._skipped),
        )

    def _attempt(self, key: str, make: Callable[[], T], *, is_quick: bool = False) -> T | None:
        """What `make` finds; None when it was not chosen, or when it failed (then the reason is kept)."""
        if not self._choice.wants(key, is_quick=is_quick):
            return None
        self._say(f"{(time.monotonic() - self._began) / 60:5.1f} min  {key}")
        try:
            return make()
        except (BenchmarkError, OSError, TimeoutExpired) as problem:
            self._skipped.append(f"{key}: {first_and_last_line(problem)}")
            self._say(f"           failed: {problem}")
            return None

    def _compare_side_by_side(self) -> None:
        """Requests and handshakes, by servers that stay up for all of them."""
        arena = self._arena
        with arena.line_up(FOR_HTTP2) as servers:
            self._negotiated = check_all(arena, servers)
            self._commands = {server.name: shlex.join(server.argv) for server in servers}
            for scenario in scenarios(arena.directory):
                step = partial(compare, arena, scenario, servers)
                self._keep(self._attempt(scenario.full_key, step, is_quick=scenario.is_quick))
            full, resumed = (partial(compare_handshakes, arena, servers, resume=resume) for resume in (False, True))
            self._keep(self._attempt("full-handshake", full, is_quick=True))
            self._keep(self._attempt("resumed-handshake", resumed))

    def _keep(self, comparison: Comparison | None) -> None:
        if comparison:
            self._comparisons.append(comparison)

    def _compare_alone(self) -> None:
        """Comparisons that start servers of their own."""
        self._keep(self._attempt("django", partial(compare_django, self._arena)))
        self._comparisons += self._attempt("access-log", partial(compare_access_log, self._arena)) or ()

    def _read_memory(self) -> None:
        count = QUICK_IDLE_CONNECTIONS if self._choice.quick else IDLE_CONNECTIONS
        self._readings += self._attempt("idle", partial(read_memory, self._arena, count), is_quick=True) or ()

    def _grow(self) -> None:
        for key, make in (("workers", grow_workers), ("connections", grow_connections), ("routes", grow_routes)):
            if found := self._attempt(key, partial(make, self._arena)):
                self._curves.append(found)
        curves, skipped = self._attempt("names", partial(grow_names, self._arena)) or ((), [])
        self._curves += curves
        self._skipped += skipped
