"""`edge certs renew`, `revoke`, `account`, `import`, `test-notify`: what is asked of whom, and what the exit status says."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.certs.requests import Answer, ChangeAccount, Reason, Renew, Revoke
from edge.cli.certs import REASONS
from tests.cli.fakes import CommandLine


def test_renewing_is_asked_of_the_keeper(edge: CommandLine, tmp_path: Path) -> None:
    """With the flags that would start an edge like the operator's, for when none runs."""
    flags = ["--domain", "a.test", "--domain", "b.test", "--http-port", "8080", "--storage", str(tmp_path)]
    outcome = edge("certs", "renew", "a.test", "b.test", "--force", *flags)
    ((request, arguments),) = edge.world.asked
    assert request == Renew(("a.test", "b.test"), force=True)
    assert sorted(arguments) == sorted(flags)
    assert (outcome.status, outcome.out, outcome.err) == (0, "", "edge: done\n")
    assert edge.world.storage == str(tmp_path)


def test_what_was_not_done_is_status_1(edge: CommandLine) -> None:
    """And the sentences say why, without control characters."""
    edge.world.answer = Answer(False, ("a.test: not renewed", "b\x1b[1m"))
    outcome = edge("certs", "renew", "a.test")
    assert outcome.status == 1
    assert outcome.err == "edge: a.test: not renewed\nedge: b[1m\n"


def test_revoking_needs_a_yes(edge: CommandLine) -> None:
    """Where nobody can be asked, the flag is the yes."""
    refused = edge("certs", "revoke", "a.test")
    assert refused.status == 2
    assert "--yes" in refused.err
    assert edge.world.asked == []
    assert edge("certs", "revoke", "a.test", "--yes", "--reason", "key-compromise").status == 0
    assert edge.world.asked[0][0] == Revoke("a.test", Reason.KEY_COMPROMISE)


def test_help_knows_all_reasons() -> None:
    """The command line repeats them, because help must not wait for the certificate room."""
    assert tuple(reason.value for reason in Reason) == REASONS


@pytest.mark.parametrize(("action", "needs_yes"), [("new-key", False), ("replace", True), ("deactivate", True)])
def test_accounts_are_not_ended_by_accident(edge: CommandLine, action: str, needs_yes: bool) -> None:
    """A new key keeps the account; the others need a yes."""
    assert edge("certs", "account", action).status == (2 if needs_yes else 0)
    edge.world.asked.clear()
    assert edge("certs", "account", action, "--yes", "--ca", "Let's Encrypt").status == 0
    assert edge.world.asked[0][0] == ChangeAccount(action, "Let's Encrypt")  # type: ignore[arg-type]


def test_importing_names_a_directory_or_a_pair(edge: CommandLine, tmp_path: Path) -> None:
    """Exactly one of them; the CA may be named where no file says it."""
    storage = ("--storage", str(tmp_path / "s"))
    assert edge("certs", "import", *storage).status == 2
    assert edge("certs", "import", "/etc/letsencrypt", "--pair", "a", "b", *storage).status == 2
    assert edge("certs", "import", "/etc/letsencrypt", "--dry-run", *storage).status == 0
    assert edge("certs", "import", "--pair", "a", "b", "--acme-directory", "letsencrypt-staging", *storage).status == 0
    assert edge.world.imports == [("/etc/letsencrypt", None, True), ("", ("a", "b"), False)]
    assert "staging" in edge.world.configs[-1].acme.directory


def test_a_trial_needs_somebody_to_tell(edge: CommandLine, tmp_path: Path) -> None:
    """Without a file, or without [notify] in it, the complaint says what is missing."""
    assert edge("certs", "test-notify").status == 2
    path = tmp_path / "edge.toml"
    path.write_text("")
    outcome = edge("certs", "test-notify", "--config", str(path))
    assert outcome.status == 2
    assert "[notify]" in outcome.err
    path.write_text('[notify]\ncommand = "true"\n')
    assert edge("certs", "test-notify", "--config", str(path)).status == 0
    assert edge.world.configs[-1].notify is not None


@pytest.mark.parametrize("words", [("-h",), ("show", "-h"), ("renew", "-h"), ("import", "--help")])
def test_every_command_has_help(edge: CommandLine, words: tuple[str, ...]) -> None:
    """On standard output, status 0."""
    outcome = edge("certs", *words)
    assert outcome.status == 0
    assert outcome.out.startswith("Usage: edge certs")
