"""`edge check`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from edge.config.describe import describe
from edge.config.flags import Flags
from edge.config.load import load
from tests.cli.fakes import CommandLine

ROOT = Path(__file__).parents[2]


def test_a_good_configuration_is_described(edge: CommandLine) -> None:
    """The plan on standard output, the verdict on standard error, status 0, nothing run."""
    outcome = edge("check", "--domain", "a.test", "--storage", "/tmp")
    assert outcome.status == 0
    plan = describe(load(Flags(domain=("a.test",), storage="/tmp"), os.environ))
    assert outcome.out.splitlines() == [*plan, "", "this machine"]
    assert outcome.err == "edge: the configuration is good\n"
    assert edge.world.configs == []


def test_warnings_do_not_fail_the_check(edge: CommandLine) -> None:
    """An upstream may be down while the configuration is good."""
    edge.world.warnings = ["upstream 127.0.0.1:8000 refused the connection"]
    outcome = edge("check")
    assert outcome.status == 0
    assert outcome.err.splitlines() == [
        "edge: warning: upstream 127.0.0.1:8000 refused the connection",
        "edge: the configuration is good, with warnings",
    ]


def test_key_pairs_that_do_not_fit_fail_the_check(edge: CommandLine) -> None:
    """They are part of the configuration."""
    edge.world.complaints = ["k.pem is not the key of c.pem"]
    outcome = edge("check")
    assert (outcome.status, outcome.err) == (2, "edge: k.pem is not the key of c.pem\n")


def _python_m_edge(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "HOME": str(cwd), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "edge", *arguments],
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_real_command_checks_a_real_file(tmp_path: Path) -> None:
    """All complaints of a file with several mistakes, through `python -m edge`, with relative names as given."""
    (tmp_path / "edge.toml").write_text(
        '[[site]]\nnames = "a b"\nstatic = {"/static" = "gone"}\n[listen]\nhttp_port = 443\n'
    )
    done = _python_m_edge("check", "--config", "edge.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.replace(str(tmp_path), "") == (
        "edge: edge.toml:2: names of [[site]] 1: 'a b': write one name at a time\n"
        "edge: edge.toml:3: static.'/static' of [[site]] 1: '/gone' does not exist; create it first\n"
        "edge: edge.toml:5: listen.http_port: plain HTTP and HTTPS cannot share port 443; choose another for one of them\n"
    )


def test_the_real_command_checks_the_real_world(tmp_path: Path) -> None:
    """A socket that does not exist is a warning of a configuration that is good."""
    flags = ("--upstream", f"unix:{tmp_path}/app.sock", "--storage", str(tmp_path), "--bind", "127.0.0.1")
    done = _python_m_edge("check", *flags, "--http-port", "0", "--https-port", "59473", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"edge: warning: upstream unix:{tmp_path}/app.sock does not exist; start the application" in done.stderr
    assert "names         localhost" in done.stdout
