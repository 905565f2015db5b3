"""`edge cache purge`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.fakes import CommandLine


@pytest.mark.parametrize(
    ("arguments", "purged"),
    [
        ((), ("", "")),
        (("*",), ("", "")),
        (("/news*",), ("", "/news*")),
        (("https://A.test/x", "--site", "B.test"), ("b.test", "https://a.test/x")),
    ],
)
def test_purge(edge: CommandLine, tmp_path: Path, arguments: tuple[str, ...], purged: tuple[str, str]) -> None:
    """Everything, or what is named; the command says whether a running edge has followed."""
    outcome = edge("cache", "purge", *arguments, "--storage", str(tmp_path))
    assert (outcome.status, outcome.err) == (0, "edge: purged\n")
    assert edge.world.purged == purged
    edge.world.runs = False
    assert "no running edge" in edge("cache", "purge", *arguments, "--storage", str(tmp_path)).err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("purge", "news"), "is no URL or path"),
        (("purge", "/a*b"), "is no URL or path"),
        (("purge", "/a", "--site", "-"), "--site: "),
        (("purge", "/a", "/b"), "unexpected extra argument"),
        (("prune",), "no such command"),
    ],
)
def test_mistakes(edge: CommandLine, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    """Status 2 and one sentence; nothing is purged."""
    outcome = edge("cache", *arguments)
    assert outcome.status == 2
    assert words in outcome.err.lower() or words in outcome.err
    assert edge.world.purged is None
