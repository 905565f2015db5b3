"""Fixtures of the command line's tests."""

from __future__ import annotations

import pytest

from tests.cli.fakes import CommandLine, FakeWorld


@pytest.fixture
def edge(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """`edge("check", "--domain", "a.test")` runs the command against a fake world."""
    monkeypatch.delenv("EDGE_DEBUG", raising=False)
    return CommandLine(FakeWorld(), capsys)
