"""`edge certs`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.cli.screens import DAY, certificate_table
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

GOLDEN = """\
names                state             expires                   next renewal              last error
────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
example.com          valid             2027-02-20 (in 90 days)   2027-01-21 (in 60 days)   –
b.example            missing           –                         –                         [1m (next try 2026-11-24 (in 2 days))
a, b, c and 2 more   expired, unused   2026-11-19 (3 days ago)   –                         –
"""


def test_the_table_shows_state_expiry_renewal_and_error() -> None:
    """One row per certificate, whole names for grep, no control characters from a CA's words."""
    table = certificate_table([VALID, MISSING, OLD], now=NOW, width=200, environ={"NO_COLOR": "1"})
    assert table == GOLDEN


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
