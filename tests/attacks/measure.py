"""What an honest client notices of each attack, on edge with both HTTP/2 engines, nginx and Caddy.

    python -m tests.attacks.measure --seconds 6 [--server NAME]... [--attack WORDS]...

One worker, so that nobody can hide; attacker in a process of its own at 127.0.0.66, honest client at 127.0.0.1 on one kept
connection. Per attack: the honest p99 in quiet and under it, memory of the process tree above its quiet figure, CPU seconds
of the server. A table in Markdown on standard output.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.certificates import make_key_pair
from benchmarks.load.connections import connect, fetch
from benchmarks.load.tls import unverified_context
from benchmarks.servers.caddy import caddy_recipe
from benchmarks.servers.edge import edge_recipe
from benchmarks.servers.nginx import nginx_recipe
from benchmarks.servers.recipe import Assignment, Recipe
from benchmarks.servers.running import Running, free_ports
from tests.attacks.catalogue import ATTACKS
from tests.blackbox.recording_origin import RecordingOrigin

SERVERS = ("edge h2", "edge ngh2", "nginx", "caddy")
AS_OTHERS = ("nice", "-n", "10")
"""The attacker's machine is another one: it must not take the processor from server and honest client."""

PAUSE = 0.004
"""Seconds between two honest requests."""


class Reading(NamedTuple):
    """One server under one attack."""

    quiet: float
    """p99 in milliseconds without the attack."""
    attacked: float
    """p99 under it."""
    failures: int
    growth: float
    """MiB."""
    cpu: float
    """Seconds of processor time a second."""


def recipe_of(name: str, work: Assignment, directory: Path) -> Recipe:
    """How a server is started."""
    if name == "nginx":
        return nginx_recipe(work, directory)
    if name == "caddy":
        return caddy_recipe(work, directory)
    recipe = edge_recipe(work, directory, name.removeprefix("edge "))
    text = recipe.files["edge.toml"].split("\n\n", 1)[1]  # the benchmark lifts the limit per client; here it counts
    return Recipe(recipe.argv, {"edge.toml": text})


@contextmanager
def running(name: str, directory: Path, origin: str) -> Iterator[Running]:
    """A server with a file of 1 KiB, one of 1 MiB, and an origin."""
    (port,) = free_ports(1)
    pair = make_key_pair(directory / "certificates", "localhost")
    work = Assignment(port=port, key_pairs=(pair,), mounts={"/static": directory / "static"}, origin=origin)
    place = directory / name.replace(" ", "-")
    with Running(name, recipe_of(name, work, place), place, port, "localhost") as server:
        yield server


def honest(port: int, seconds: float) -> tuple[float, int]:
    """p99 in milliseconds of requests one after the other, and how many failed."""
    context = unverified_context("http/1.1")
    until = time.monotonic() + seconds
    times: list[float] = []
    failures = 0
    while time.monotonic() < until:
        began = time.monotonic()
        try:
            with connect(context, port, "localhost") as sock:
                while time.monotonic() < until:
                    began = time.monotonic()
                    assert fetch(sock, "/static/1k.bin").startswith(b"HTTP/1.1 200 ")
                    times.append(time.monotonic() - began)
                    time.sleep(PAUSE)
        except (OSError, AssertionError):
            failures += 1
            times.append(time.monotonic() - began)
    times.sort()
    return times[len(times) * 99 // 100] * 1000, failures


def measure(server: Running, attack: str, seconds: float) -> Reading:
    """One reading."""
    quiet, _ = honest(server.port, seconds / 2)
    memory, cpu = server.memory_bytes(), server.cpu_seconds()
    argv = [
        *AS_OTHERS,
        sys.executable,
        "-m",
        "tests.attacks",
        attack,
        "--port",
        str(server.port),
        "--path",
        "/static/1m.bin",
    ]
    with subprocess.Popen([*argv, "--seconds", str(seconds + 1)], stderr=subprocess.DEVNULL) as attacker:
        time.sleep(1)
        attacked, failures = honest(server.port, seconds)
        growth = server.memory_bytes() - memory
        used = server.cpu_seconds() - cpu
        attacker.kill()
    return Reading(quiet, attacked, failures, growth / (1 << 20), used / (seconds + 1))


def main() -> None:
    """All of the chosen ones."""
    parser = argparse.ArgumentParser(prog="python -m tests.attacks.measure", description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--server", action="append", choices=SERVERS)
    parser.add_argument("--attack", action="append", default=[], help="part of a name")
    given = parser.parse_args()
    chosen = [name for name in ATTACKS if not given.attack or any(part in name for part in given.attack)]
    print(
        "| attack | server | quiet p99, ms | attacked p99, ms | failures | memory, MiB | CPU |\n|---|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as temporary, RecordingOrigin() as origin:
        directory = Path(temporary)
        (directory / "static").mkdir()
        for name, size in (("1k.bin", 1024), ("1m.bin", 1 << 20)):
            (directory / "static" / name).write_bytes(bytes(size))
        for attack in chosen:
            for name in given.server or SERVERS:
                with ExitStack() as stack:
                    server = stack.enter_context(running(name, directory, f"127.0.0.1:{origin.port}"))
                    r = measure(server, attack, given.seconds)
                    print(
                        f"| {attack} | {name} | {r.quiet:.1f} | {r.attacked:.1f} | {r.failures} | {r.growth:.0f} "
                        f"| {r.cpu:.0%} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
