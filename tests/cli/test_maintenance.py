"""`edge maintenance`."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config.maintenance import DEFAULT_RETRY_AFTER, MAX_PAGE, MaintenanceNotice
from tests.cli.fakes import CommandLine


def test_on(edge: CommandLine, tmp_path: Path) -> None:
    """The page is read now: the file may go away afterwards."""
    page = tmp_path / "page.html"
    page.write_text("<h1>Süß</h1>")
    outcome = edge("maintenance", "on", "--page", str(page), "--retry-after", "90", "--storage", str(tmp_path))
    assert outcome.status == 0
    assert edge.world.notice == MaintenanceNotice("<h1>Süß</h1>", 90)
    assert edge.world.storage == str(tmp_path)
    assert "maintenance is on" in outcome.err


def test_defaults(edge: CommandLine, tmp_path: Path) -> None:
    """edge's own page, a minute."""
    assert edge("maintenance", "on", "--storage", str(tmp_path)).status == 0
    assert edge.world.notice == MaintenanceNotice("", DEFAULT_RETRY_AFTER)


def test_off(edge: CommandLine, tmp_path: Path) -> None:
    """Says whether there was anything to end: perhaps it was the wrong storage directory."""
    edge("maintenance", "on", "--storage", str(tmp_path))
    assert "maintenance is off" in edge("maintenance", "off", "--storage", str(tmp_path)).err
    assert edge.world.notice is None
    outcome = edge("maintenance", "off", "--storage", str(tmp_path))
    assert outcome.status == 0
    assert "was off already" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "missing argument"),
        (("maybe",), "'on', 'off'"),
        (("off", "--retry-after", "5"), "go with edge maintenance on"),
        (("on", "--retry-after", "soon"), "seconds from 0"),
        (("on", "--retry-after", "-1"), "seconds from 0"),
        (("on", "--page", "/nowhere/page.html"), "no such file"),
        (("on", "--page", "/"), "is a directory"),
    ],
)
def test_mistakes(edge: CommandLine, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    """Status 2 and one sentence; nothing has changed."""
    outcome = edge("maintenance", *arguments, "--storage", str(tmp_path))
    assert outcome.status == 2
    assert words in outcome.err
    assert edge.world.notice is None


@pytest.mark.parametrize(
    ("data", "words"), [(b"\xff", "UTF-8"), (b" ", "no HTML"), (b"a\0", "no HTML"), (b"x" * (MAX_PAGE + 1), "smaller")]
)
def test_pages_that_are_none(edge: CommandLine, tmp_path: Path, data: bytes, words: str) -> None:
    """Found when the command is given, not when a visitor comes."""
    page = tmp_path / "page.html"
    page.write_bytes(data)
    outcome = edge("maintenance", "on", "--page", str(page), "--storage", str(tmp_path))
    assert outcome.status == 2
    assert words in outcome.err
