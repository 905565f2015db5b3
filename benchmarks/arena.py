"""Where a run takes place: cores, a directory, an origin, certificates and files to serve, and who takes part."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.certificates import make_key_pair
from benchmarks.contenders import CONTENDERS
from benchmarks.cores import Cores
from benchmarks.load.h2load import run_h2load
from benchmarks.load.work import Report, Work
from benchmarks.load.wrk import run_wrk
from benchmarks.servers.origin import origin_recipe
from benchmarks.servers.recipe import Assignment, KeyPair, Recipe
from benchmarks.servers.running import START_TIMEOUT, Running, free_ports

SIZES = {"1k.bin": 1024, "100k.bin": 100 * 1024, "1m.bin": 1024 * 1024}
SMALL_FILES = 200
"""Different files of 1 KiB, for requests whose paths vary."""


class Arena:
    """Made once for a run, by `opened`."""

    def __init__(self, directory: Path, cores: Cores, families: Sequence[str], rounds: int, seconds: int) -> None:
        self.directory = directory
        self.cores = cores
        self.rounds = rounds
        self.seconds = seconds
        self.static = directory / "static"
        self.key_pair = make_key_pair(directory / "certificates", "localhost")
        self._families = families
        self._line_ups = 0
        self.origin = ""
        """host:port of the origin that answers from memory."""

    def takes_part(self, name: str) -> bool:
        """Whether this contender was asked for."""
        return CONTENDERS[name].family in self._families

    @contextmanager
    def opened(self) -> Iterator[Arena]:
        """Write the files, run the origin."""
        self._write_files()
        port, second = free_ports(2)
        recipe = origin_recipe(self.directory / "origin", port, second)
        with self.run("origin", recipe, port, self.cores.load):
            self.origin = f"127.0.0.1:{port}"
            yield self

    def _write_files(self) -> None:
        self.static.mkdir()
        for name, size in SIZES.items():
            (self.static / name).write_bytes(os.urandom(size))
        for number in range(SMALL_FILES):
            (self.static / f"small-{number}.bin").write_bytes(os.urandom(1024))

    def run(self, name: str, recipe: Recipe, port: int, *cores: int) -> Running:
        """An origin on these cores, to be entered."""
        pinned = Recipe(self.cores.pinned(recipe.argv, *cores), recipe.files)
        return Running(name, pinned, self.directory / name, port)

    @contextmanager
    def line_up(
        self,
        names: Sequence[str],
        *,
        key_pairs: tuple[KeyPair, ...] = (),
        mounts: dict[str, Path] | None = None,
        origin: str = "",
        workers: int = 1,
        cores: tuple[int, ...] = (),
        start_timeout: float = START_TIMEOUT,
    ) -> Iterator[list[Running]]:
        """Those of the named contenders that take part, running with the same assignment."""
        self._line_ups += 1
        key_pairs = key_pairs or (self.key_pair,)
        with ExitStack() as stack:
            servers = []
            for name in filter(self.takes_part, names):
                (port,) = free_ports(1)
                directory = self.directory / f"{self._line_ups}-{name}"
                assignment = Assignment(
                    port=port,
                    key_pairs=key_pairs,
                    mounts=mounts or {"/static": self.static},
                    origin=origin or self.origin,
                    workers=workers,
                )
                recipe = CONTENDERS[name].recipe(assignment, directory)
                pinned = Recipe(self.cores.pinned(recipe.argv, *(cores or (self.cores.server,))), recipe.files)
                running = Running(name, pinned, directory, port, key_pairs[-1].names[0], start_timeout)
                servers.append(stack.enter_context(running))
            yield servers

    def measure(self, server: Running, work: Work, protocol: str, seconds: int | None = None) -> Report:
        """One run: wrk for HTTP/1.1 at full speed, h2load for everything else."""
        if protocol == "http/1.1" and work.rate is None:
            return run_wrk(work, server, self.cores, seconds or self.seconds)
        return run_h2load(work, server, self.cores, protocol, seconds or self.seconds)
