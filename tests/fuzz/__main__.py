"""Runs every target for its share of the minutes, each in a process of its own; see the package."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

from tests.fuzz.targets import TARGETS

MINUTE = 60.0
GRACE = 60.0
"""Seconds that an engine gets to end beyond its time."""

REMARK = "atheris is not installed (pip install 'edge[fuzz]'; it has wheels for some versions of Python only).\n\
hypothesis mutates the same seeds instead, without looking at coverage: it finds less."


def main() -> int:
    """Exit status 1 when something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="for all targets together (default: 5)")
    parser.add_argument("--target", action="append", choices=[*TARGETS], help="only this one; repeatable")
    parser.add_argument("--engine", choices=["auto", "atheris", "hypothesis"], default="auto")
    parser.add_argument("--found", type=Path, default=Path(".cache/fuzz"), help="where inputs that fail are written")
    given = parser.parse_args()
    engine = _choose(given.engine)
    chosen = given.target or [*TARGETS]
    seconds = max(1, round(given.minutes * MINUTE / len(chosen)))
    failed = [name for name in chosen if not _run(engine, name, seconds, given.found)]
    print(f"{len(chosen)} targets, {seconds} s each with {engine}: ", end="")
    print(f"found something in {', '.join(failed)}" if failed else "nothing found")
    return 1 if failed else 0


def _choose(wanted: str) -> str:
    if importlib.util.find_spec("atheris"):
        return "atheris" if wanted == "auto" else wanted
    if wanted == "atheris":
        sys.exit(REMARK)
    if wanted == "auto":
        print(REMARK)
    return "hypothesis"


def _run(engine: str, name: str, seconds: int, found: Path) -> bool:
    print(f"{name}: ", end="", flush=True)
    place = found / name
    place.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", f"tests.fuzz.with_{engine}", name, str(seconds), str(place)]
    output = place / "output.txt"
    try:
        with output.open("wb") as file:
            done = subprocess.run(argv, timeout=seconds + GRACE, check=False, stdout=file, stderr=file)
    except subprocess.TimeoutExpired:
        print(f"does not end; {output}")
        return False
    said = output.read_text(errors="replace")
    if done.returncode:
        print(f"{said[-4000:]}\nthe input is in {place}")
        return False
    print("\n".join(line for line in said.splitlines() if "executed_units" in line or "inputs" in line))
    return True


if __name__ == "__main__":
    sys.exit(main())
