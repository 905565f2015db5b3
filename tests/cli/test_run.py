"""`edge` and `edge run`."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import CertificateError, ConfigError, StartError
from tests.cli.fakes import CommandLine


@pytest.mark.parametrize("command", [(), ("run",)])
def test_edge_is_edge_run(edge: CommandLine, command: tuple[str, ...]) -> None:
    """The same flags do the same with and without the word."""
    outcome = edge(*command, "--domain", "a.test", "--domain", "b.test", "--upstream", "8000", "--http-port", "0")
    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")
    (config,) = edge.world.configs
    assert config.names == ("a.test", "b.test")
    assert config.listen.http_port == 0


def test_without_flags_localhost_is_run(edge: CommandLine) -> None:
    """`edge` alone serves at once."""
    edge()
    assert edge.world.configs[0].names == ("localhost",)


def test_the_status_is_that_of_the_supervisor(edge: CommandLine) -> None:
    """Whatever it returns."""
    edge.world.status = 1
    assert edge().status == 1


def test_a_reload_reads_the_file_again(edge: CommandLine, tmp_path: Path) -> None:
    """And reports what is wrong with it then, without ending anything."""
    file = tmp_path / "edge.toml"
    file.write_text('[[site]]\nnames = "a.test"\n')
    edge("--config", str(file), "--http-port", "8080")
    reload = edge.world.reload
    assert reload is not None
    file.write_text('[[site]]\nnames = "b.test"\n')
    assert (reload().names, reload().listen.http_port) == (("b.test",), 8080)
    file.write_text("[[site]]\nnames = 3\n")
    with pytest.raises(ConfigError):
        reload()


def test_each_complaint_is_one_line_and_the_status_2(edge: CommandLine) -> None:
    """Nothing is run, nothing is printed to standard output."""
    outcome = edge("--domain", "https://a.test", "--upstream", "app", "--workers", "many")
    assert outcome.status == 2
    assert outcome.out == ""
    assert outcome.err == (
        "edge: --domain: 'https://a.test' is a URL; write only the host name, like example.com\n"
        "edge: --upstream: 'app': write host:port, like 127.0.0.1:8000, or unix:/run/app.sock\n"
        "edge: --workers: 'many': the number of workers is a whole number from 1 to 512\n"
    )
    assert edge.world.configs == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--domian", "a"),
         "edge: no such option '--domian'. (Did you mean one of: '--domain', '--media'?)\n      try: edge --help\n"),
        (("--domain",), "edge: option '--domain' requires an argument.\n      try: edge --help\n"),
        (("chek",), "edge: there is no command 'chek'; did you mean 'check'?\n      try: edge --help\n"),
        (("a.b",), "edge: there is no command 'a.b'; to serve that name write: edge --domain a.b\n      try: edge --help\n"),
        (("--http-port", "0", "check"), "edge: got unexpected extra argument (check)\n      try: edge --help\n"),
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_a_complaint_too(edge: CommandLine, arguments: tuple[str, ...], complaint: str) -> None:
    """Status 2, and what was probably meant."""
    outcome = edge(*arguments)
    assert (outcome.status, outcome.err) == (2, complaint)


def test_a_failed_start_says_why_and_what_to_do(edge: CommandLine) -> None:
    """The reason on the first line, remedies below; status 1."""
    edge.world.failure = StartError(":80 is already used by nginx", "stop it", "or use --http-port 8080")
    outcome = edge()
    assert outcome.status == 1
    assert outcome.err == "edge: :80 is already used by nginx\n      stop it\n      or use --http-port 8080\n"


@pytest.mark.parametrize(
    ("failure", "status", "words"),
    [
        (ConfigError(["a", "b"]), 2, "edge: a\nedge: b\n"),
        (CertificateError("no\x1b[31m way"), 1, "edge: no[31m way\n"),
        (KeyboardInterrupt(), 1, "\nedge: interrupted\n"),
        (ValueError("x\ny"), 1,
         "edge: internal error, this is a bug: ValueError: x\n      EDGE_DEBUG=1 in the environment shows where\n"),
    ],
)  # fmt: skip
def test_whatever_is_raised_becomes_words(edge: CommandLine, failure: BaseException, status: int, words: str) -> None:
    """No traceback, no control characters; a bug is called a bug."""
    edge.world.failure = failure
    outcome = edge()
    assert (outcome.status, outcome.err) == (status, words)


def test_a_traceback_is_shown_on_request_only(edge: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """EDGE_DEBUG is for whoever reports the bug."""
    monkeypatch.setenv("EDGE_DEBUG", "1")
    edge.world.failure = ValueError("x")
    assert "Traceback (most recent call last)" in edge().err
