"""`edge install-service`: the command line; the unit itself is tested in tests/process/test_systemd_unit.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import StartError
from tests.cli.fakes import CommandLine


def test_prints_and_writes_nothing(edge: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unit on standard output, with the flags as given but every path absolute."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "www").mkdir()
    outcome = edge("install-service", "--domain", "a.test", "--static", "/s=www", "--access-log", "off")
    assert outcome.status == 0
    assert edge.world.units == {}
    (command,) = [line for line in outcome.out.splitlines() if line.startswith("ExecStart=")]
    assert command.startswith("ExecStart=/")
    assert command.endswith(f" run --domain a.test --static /s={tmp_path}/www --storage /var/lib/edge --access-log off")
    assert "User=edge\n" in outcome.out


def test_writes_when_told(edge: CommandLine) -> None:
    """Says where, and how it is started."""
    outcome = edge("install-service", "--domain", "a.test", "--write")
    assert outcome.status == 0
    assert outcome.out == ""
    assert list(edge.world.units) == ["edge.service"]
    assert "wrote /etc/systemd/system/edge.service" in outcome.err
    assert "sudo systemctl daemon-reload && sudo systemctl enable --now edge" in outcome.err


def test_socket_activation_is_more_units(edge: CommandLine) -> None:
    """One for each purpose, and the sockets are what is enabled."""
    outcome = edge("install-service", "--domain", "a.test", "--write", "--socket-activation")
    assert list(edge.world.units) == ["edge.service", "edge.socket", "edge-http.socket"]
    assert "enable --now edge.socket edge-http.socket" in outcome.err


def test_a_storage_of_ones_own_stays(edge: CommandLine, tmp_path: Path) -> None:
    """Only the default is that of services."""
    outcome = edge("install-service", "--domain", "a.test", "--storage", str(tmp_path / "state"))
    assert f"--storage {tmp_path}/state" in outcome.out
    assert f"ReadWritePaths={tmp_path}/state" in outcome.out


def test_a_user_that_is_missing_is_said(edge: CommandLine) -> None:
    """With the command that makes it."""
    outcome = edge("install-service", "--domain", "a.test", "--account", "no-such-user")
    assert outcome.status == 0
    assert "sudo useradd --system --home-dir /var/lib/edge" in outcome.err


def test_mistakes(edge: CommandLine) -> None:
    """A name that would be more than a name in a unit file; a configuration that cannot be used; a file of somebody else."""
    assert "no name of a user" in edge("install-service", "--account", "edge\nUser=root").err
    assert edge("install-service", "--domain", "a b").status == 2
    edge.world.failure = StartError("was not made by this command")
    assert edge("install-service", "--write").status == 1
