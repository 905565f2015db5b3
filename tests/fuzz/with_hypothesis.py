"""One target under hypothesis: `python -m tests.fuzz.with_hypothesis TARGET SECONDS DIRECTORY`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, Target

ROUND = 500
"""Inputs between two looks at the clock."""


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Seeds with pieces cut out, put in, and put together."""
    seed = st.sampled_from(list(target.seeds))
    noise = st.binary(max_size=20)
    spot = st.integers(0, target.limit)
    changed = st.builds(lambda data, a, b, new: data[:a] + new + data[b:], seed, spot, spot, noise)
    return st.lists(seed | changed | noise, max_size=5).map(lambda parts: b"".join(parts)[: target.limit])


def main(name: str, seconds: str, directory: str) -> None:
    """Status 0 when nothing was found. A finding is left in `directory`."""
    target = TARGETS[name]
    last = b""

    @settings(max_examples=ROUND, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(inputs(target))
    def examine(data: bytes) -> None:
        nonlocal last
        last = data
        target.run(data)

    until = time.monotonic() + float(seconds)
    rounds = 0
    try:
        while time.monotonic() < until:
            examine()
            rounds += 1
    except BaseException:
        (Path(directory) / "crash-hypothesis").write_bytes(last)
        raise
    print(f"{rounds * ROUND} inputs")


if __name__ == "__main__":
    main(*sys.argv[1:])
