"""Every seed and everything that was ever found, through its target; and the command that finds more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

FOUND = Path(__file__).parent.parent / "corpus" / "found"


@pytest.mark.parametrize("name", TARGETS)
def test_known_inputs(name: str) -> None:
    """No seed is a bug, and no input that was a bug once is one any more."""
    target = TARGETS[name]
    for data in (*target.seeds, *(file.read_bytes() for file in sorted((FOUND / name).glob("*")))):
        target.run(data)


def test_a_found_file_belongs_to_a_target() -> None:
    """A misspelt directory would be tested by nobody's rule."""
    assert {each.name for each in FOUND.iterdir() if each.is_dir()} <= set(TARGETS)


def test_the_command_without_atheris(tmp_path: Path) -> None:
    """It runs with what every development machine has, and says what it did."""
    argv = [sys.executable, "-m", "tests.fuzz", "--engine", "hypothesis", "--minutes", "0.01", "--target", "ranges"]
    done = subprocess.run([*argv, "--found", str(tmp_path)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing found" in done.stdout
