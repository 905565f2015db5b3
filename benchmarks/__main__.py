"""`python -m benchmarks`: run, and write `docs/benchmarks/`. A full run takes about 20 minutes, `--quick` two."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

import msgspec

from benchmarks.arena import Arena
from benchmarks.cores import choose_cores, raise_file_limit, settle_on
from benchmarks.errors import BenchmarkError
from benchmarks.report.page import write_report
from benchmarks.results import Results
from benchmarks.run import Choice, Run
from benchmarks.servers.running import REPOSITORY
from benchmarks.tools import require

FAMILIES = ("edge", "nginx", "caddy")
OUTPUT = REPOSITORY / "docs" / "benchmarks"


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few scenarios in under two minutes")
    parser.add_argument("--only", default=",".join(FAMILIES), help="who takes part: edge,nginx,caddy (default: all)")
    parser.add_argument(
        "--scenario", action="append", default=[], help="only scenarios with this key; repeatable, * allowed"
    )
    parser.add_argument("--rounds", type=int, help="rounds of each comparison (default 3; with --quick 2)")
    parser.add_argument("--seconds", type=int, help="of each measurement (default 2; with --quick 1)")
    parser.add_argument(
        "--output", type=Path, default=OUTPUT, help="where results and plots go (default docs/benchmarks)"
    )
    parser.add_argument(
        "--redraw", action="store_true", help="make page and plots again from results.json; measure nothing"
    )
    return parser.parse_args(argv)


def families_of(only: str) -> list[str]:
    """The programs that take part. Raises: BenchmarkError for one that nobody knows."""
    chosen = [name.strip().lower() for name in only.split(",") if name.strip()]
    if unknown := set(chosen) - set(FAMILIES):
        raise BenchmarkError(f"--only {', '.join(sorted(unknown))}: known are {', '.join(FAMILIES)}")
    return chosen


def measure(arguments: argparse.Namespace) -> Results:
    """Check that everything is there, then run. Raises: BenchmarkError."""
    families = families_of(arguments.only)
    require(("taskset", "nginx", "wrk", "h2load", *(name for name in families if name == "caddy")))
    cores = choose_cores()
    settle_on(cores.load)
    raise_file_limit()
    rounds = arguments.rounds or (2 if arguments.quick else 3)
    seconds = arguments.seconds or (1 if arguments.quick else 2)
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as directory:
        arena = Arena(Path(directory), cores, families, rounds, seconds)
        with arena.opened():
            return Run(arena, Choice(arguments.quick, tuple(arguments.scenario)), say).perform()


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """0 when everything was measured, 1 when something was not, 2 when nothing could be."""
    arguments = parse_arguments(sys.argv[1:])
    # SIGTERM unwinds like Ctrl-C, so that every server is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if arguments.redraw:
            results = msgspec.json.decode((arguments.output / "results.json").read_bytes(), type=Results)
        else:
            results = measure(arguments)
    except BenchmarkError as problem:
        say(str(problem))
        return 2
    write_report(results, arguments.output)
    say(f"{len(results.comparisons)} comparisons in {results.minutes:.1f} minutes: {arguments.output}/README.md")
    return 1 if results.skipped else 0


if __name__ == "__main__":
    sys.exit(main())
