"""`edge upgrade`; that it upgrades is seen in tests/blackbox/test_upgrade.py."""

from __future__ import annotations

from pathlib import Path

from edge.errors import StartError
from tests.cli.fakes import CommandLine


def test_both_versions_are_told(edge: CommandLine, tmp_path: Path) -> None:
    """Who serves now, in place of whom, and who may still be there for a while."""
    outcome = edge("upgrade", "--storage", str(tmp_path))
    assert outcome.status == 0
    assert edge.world.storage == str(tmp_path)
    assert outcome.err == ("edge: version 2.0 serves (pid 20) in place of 1.0; pid 10 finishes what it has in flight\n")


def test_the_storage_is_that_of_the_configuration(edge: CommandLine, tmp_path: Path) -> None:
    """Sites of the file may be broken: that is what the running edge would say."""
    file = tmp_path / "edge.toml"
    file.write_text('[server]\nstorage = "state"\n')
    edge("upgrade", "--config", str(file))
    assert edge.world.storage == str(tmp_path / "state")


def test_a_failure_says_why(edge: CommandLine, tmp_path: Path) -> None:
    """Exit status 1, the reasons below."""
    edge.world.failure = StartError("the upgrade failed, the old edge serves as before", "No module named 'h2'")
    outcome = edge("upgrade", "--storage", str(tmp_path))
    assert outcome.status == 1
    assert outcome.err.splitlines() == [
        "edge: the upgrade failed, the old edge serves as before",
        "      No module named 'h2'",
    ]
