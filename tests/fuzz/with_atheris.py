"""One target under libFuzzer: `python -m tests.fuzz.with_atheris TARGET SECONDS DIRECTORY`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["edge", "hpack", "h2", "hyperframe"]):
    from tests.fuzz.targets import TARGETS

TOO_SLOW = 10
"""Seconds that one input may take."""


def main(name: str, seconds: str, directory: str) -> None:
    """Ends the process; status 0 when nothing was found. A finding is left in `directory` as `crash-…`, `timeout-…`."""
    target = TARGETS[name]
    with tempfile.TemporaryDirectory(prefix="edge-fuzz-") as corpus:
        for number, seed in enumerate(target.seeds):
            (Path(corpus) / f"seed-{number}").write_bytes(seed)
        options = [
            *(f"-max_total_time={seconds}", f"-max_len={target.limit}", f"-timeout={TOO_SLOW}", "-rss_limit_mb=2048"),
            *(f"-artifact_prefix={directory}/", "-print_final_stats=1", "-verbosity=0"),
        ]
        atheris.Setup([sys.argv[0], *options, corpus], target.run)
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
