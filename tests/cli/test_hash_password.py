"""`edge hash-password`."""

from __future__ import annotations

import io

import pytest

from edge.config.password import is_right, parse_hash
from tests.cli.fakes import CommandLine


def test_the_first_line_of_standard_input_is_the_password(edge: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash goes to standard output, and knows the password, spaces included."""
    monkeypatch.setattr("sys.stdin", io.StringIO(" pass word \nrest\n"))
    outcome = edge("hash-password")
    assert outcome.status == 0
    assert is_right(b" pass word ", parse_hash(outcome.out.strip()))


def test_an_empty_password_is_refused(edge: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 2."""
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert edge("hash-password").status == 2
