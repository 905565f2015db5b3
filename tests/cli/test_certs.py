"""`edge certs`."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from edge.certs.budget import Budget, Kind
from edge.certs.ledger import Entry, Event
from edge.cli.screens import DAY, certificate_details, certificate_table
from edge.errors import StorageError
from edge.process.inspection import CertificateStatus
from tests.cli.fakes import CommandLine

NOW = 1_795_348_800.0  # 2026-11-22 12:00 UTC

VALID = CertificateStatus(
    directory="example.com-0a1b",
    names=("example.com",),
    state="valid",
    issuer="acme-v02.api.letsencrypt.org",
    in_use=True,
    not_after=NOW + 90 * DAY,
    renew_at=NOW + 60 * DAY,
)
MISSING = CertificateStatus(
    directory="b.example-0a1b",
    names=("b.example",),
    state="missing",
    issuer="",
    in_use=True,
    last_error="\x1b[1m",
    failures=3,
    next_attempt=NOW + 2 * DAY,
)
OLD = CertificateStatus(
    directory="old.test-1", names=tuple("abcde"), state="expired", issuer="local", in_use=False, not_after=NOW - 3 * DAY
)

LIMITED = CertificateStatus(
    directory="c.example-0a1b",
    names=("c.example",),
    state="valid",
    issuer="Let's Encrypt",
    in_use=True,
    not_before=NOW - DAY,
    not_after=NOW + 89 * DAY,
    serial="a1",
    renew_at=NOW + 60 * DAY,
    renew_reason="the CA's renewal window",
    budgets=(
        Budget(Kind.ORDERS, "", 299, 300, 3 * 3600.0),
        Budget(Kind.DUPLICATES, "c.example", 0, 5, 7 * DAY, NOW + 2.5 * DAY),
        Budget(Kind.FAILURES, "c.example", 5, 5, 3600.0),
    ),
    history=(
        Entry(NOW - DAY, Event.FAILED, "Let's Encrypt", ("c.example",), phase="challenge", cause="no\x07 answer"),
        Entry(NOW - DAY + 60, Event.ISSUED, "Let's Encrypt", ("c.example",)),
    ),
)

GOLDEN = """\
names                state             expires                   next renewal              budget   last problem
─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
example.com          valid             2027-02-20 (in 90 days)   2027-01-21 (in 60 days)   –        –
b.example            missing           –                         –                         –        [1m (next try 2026-11-24 (in 2 days))
a, b, c and 2 more   expired, unused   2026-11-19 (3 days ago)   –                         –        –
"""  # noqa: E501  # a table is as wide as it is

DETAILS = """\
c.example
  state        valid, from Let's Encrypt
  serial       a1
  expires      2027-02-19 (in 89 days)
  renewal      2027-01-21 (in 60 days): the CA's renewal window
  budget       299 of 300 new orders of the account left in 3 h
  budget       0 of 5 certificates for exactly these names left in 7 days; the next is possible 2026-11-25 (in 2 days)
  budget       5 of 5 failed validations of c.example left in 1 h
  history      2026-11-21 12:00 UTC failed by Let's Encrypt: challenge: no answer
               2026-11-21 12:01 UTC issued by Let's Encrypt
"""


def test_the_table_shows_state_expiry_renewal_and_error() -> None:
    """One row per certificate, whole names for grep, no control characters from a CA's words."""
    table = certificate_table([VALID, MISSING, OLD], now=NOW, width=200, environ={"NO_COLOR": "1"})
    assert table == GOLDEN


def test_the_table_shows_why_and_how_much_is_left() -> None:
    """The reason of the next renewal, and the budget that ends first."""
    table = certificate_table([LIMITED], now=NOW, width=200, environ={"NO_COLOR": "1"})
    assert "2027-01-21 (in 60 days): the CA's renewal window   0 of 5 duplicates" in table


def test_json_has_every_field(edge: CommandLine) -> None:
    """Programs get what the storage knows."""
    edge.world.certificates = [VALID, MISSING]
    outcome = edge("certs", "--json")
    first, second = json.loads(outcome.out)
    assert first["names"] == ["example.com"]
    assert first["not_after"] == NOW + 90 * DAY
    assert second["failures"] == 3
    assert outcome.err == ""


def test_the_table_goes_to_standard_output(edge: CommandLine) -> None:
    """So that it can be piped."""
    edge.world.certificates = [VALID]
    outcome = edge("certs")
    assert "example.com" in outcome.out
    assert (outcome.status, outcome.err) == (0, "")


def test_an_empty_storage_says_where_it_looked(edge: CommandLine, tmp_path: Path) -> None:
    """Looking into the wrong directory is the usual reason."""
    outcome = edge("certs", "--storage", str(tmp_path))
    assert outcome.status == 0
    assert outcome.out == ""
    assert outcome.err.startswith(f"edge: no certificates in {tmp_path}")
    assert json.loads(edge("certs", "--json").out) == []


def test_the_storage_of_the_file_is_used(edge: CommandLine, tmp_path: Path) -> None:
    """`--config` is enough to find the certificates of a service."""
    (tmp_path / "edge.toml").write_text('[server]\nstorage = "state"\n')
    edge("certs", "--config", str(tmp_path / "edge.toml"))
    assert edge.world.storage == f"{tmp_path}/state"


def test_a_storage_that_cannot_be_read_is_a_failure(edge: CommandLine) -> None:
    """With the reason, status 1."""
    edge.world.failure = StorageError("permission denied")
    outcome = edge("certs")
    assert (outcome.status, outcome.err) == (1, "edge: permission denied\n")


@pytest.mark.parametrize("columns", [20, 60, 80])
def test_a_narrow_terminal_breaks_nothing(columns: int) -> None:
    """Rows fold, they are not lost."""
    table = certificate_table([VALID], now=NOW, width=columns)
    assert all(len(line) <= columns for line in table.splitlines())


def test_the_details_tell_budgets_and_history() -> None:
    """What the CA still allows, when the next is possible, and what has happened."""
    assert certificate_details(LIMITED, now=NOW) == DETAILS


def test_a_name_selects_certificates(edge: CommandLine) -> None:
    """Exactly the name, or the directory; a name without a certificate needs attention."""
    edge.world.certificates = [VALID, LIMITED]
    assert json.loads(edge("certs", "c.example", "--json").out)[0]["serial"] == "a1"
    assert len(json.loads(edge("certs", "--json", "example.com-0a1b").out)) == 1
    assert edge("certs", "Example.COM.").status == 0
    outcome = edge("certs", "example")
    assert outcome.status == 1
    assert outcome.err.startswith("edge: no certificate for example in ")


@pytest.mark.parametrize(("attention", "status"), [("", 0), ("the certificate has expired", 1)])
def test_the_exit_status_is_for_monitoring(edge: CommandLine, attention: str, status: int) -> None:
    """0 when all is well, 1 when somebody should look, whatever the form of the output."""
    edge.world.certificates = [VALID, msgspec.structs.replace(MISSING, attention=attention)]
    assert [edge("certs", *flags).status for flags in ((), ("--json",), ("b.example",))] == [status] * 3
