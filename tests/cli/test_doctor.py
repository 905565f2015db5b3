"""`edge doctor`: who is examined, and what the exit status says."""

from __future__ import annotations

from pathlib import Path

from edge.certs.requests import Answer
from tests.cli.fakes import CommandLine


def test_findings_are_data(edge: CommandLine, tmp_path: Path) -> None:
    """On standard output, a line each, without control characters; the name as the configuration spells it."""
    edge.world.answer = Answer(True, ("ok       clock: right", "ok       x\x1b[1m"))
    outcome = edge("doctor", "A.Test", "--domain", "a.test", "--storage", str(tmp_path))
    assert (outcome.status, outcome.out, outcome.err) == (0, "ok       clock: right\nok       x[1m\n", "")
    assert edge.world.examined == "a.test"
    assert edge.world.configs[0].names == ("a.test",)


def test_anything_wrong_is_status_1(edge: CommandLine) -> None:
    """What is no name is a usage error."""
    edge.world.answer = Answer(False, ("problem  clock: wrong",))
    assert edge("doctor", "a.test").status == 1
    assert edge("doctor", "not a name").status == 2
    assert edge("doctor").status == 2
