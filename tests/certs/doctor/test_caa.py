"""What CAA records allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.certs.doctor.caa import HONOURED_FROM, Applicant, CAARecord, Permission, judge, parse_permission

ACCOUNT = "https://ca.example/acct/1"
METHODS = frozenset({"http-01", "tls-alpn-01"})
OURS = Applicant(frozenset({"letsencrypt.org"}), ACCOUNT, METHODS)
OTHER = Applicant(frozenset({"ca.example"}), ACCOUNT, METHODS)


def issue(value: str, tag: str = "issue", flags: int = 0) -> CAARecord:
    return CAARecord(flags, tag, value)


@pytest.mark.parametrize(
    ("records", "plain", "wildcard"),
    [
        ([], True, True),
        ([issue("letsencrypt.org")], True, True),
        ([issue("LetsEncrypt.ORG")], True, True),
        ([issue(" letsencrypt.org ; ")], True, True),
        ([issue("other.example")], False, False),
        ([issue("other.example"), issue("letsencrypt.org")], True, True),
        ([issue(";")], False, False),
        ([issue("")], False, False),
        ([issue("letsencrypt.org; broken")], False, False),
        ([issue("lets encrypt.org")], False, False),
        ([issue("mailto:a@example", "iodef")], True, True),
        ([issue(";", "issuewild")], True, False),
        ([issue("letsencrypt.org"), issue("other.example", "issuewild")], True, False),
        ([issue(";"), issue("letsencrypt.org", "issuewild")], False, True),
        ([issue("x", "future")], True, True),
        ([issue("x", "future", 128), issue("letsencrypt.org")], False, False),
        ([issue("letsencrypt.org", flags=128)], True, True),
        ([issue(f"letsencrypt.org; accounturi={ACCOUNT}")], True, True),
        ([issue("letsencrypt.org; accounturi=https://ca.example/acct/2")], False, False),
        ([issue(f"letsencrypt.org; accounturi={ACCOUNT}; accounturi={ACCOUNT}")], False, False),
        ([issue("letsencrypt.org; validationmethods=dns-01,http-01")], True, True),
        ([issue("letsencrypt.org; validationmethods=dns-01")], False, False),
        ([issue("letsencrypt.org; validationmethods=dns-01"), issue("letsencrypt.org")], True, True),
    ],
)  # fmt: skip
def test_who_may_issue(records: list[CAARecord], plain: bool, wildcard: bool) -> None:
    """RFC 8659 §4.2 and §4.3, RFC 8657 §3 and §4, record set by record set."""
    assert judge(records, OURS, is_wildcard=False, now=0.0).is_allowed is plain
    assert judge(records, OURS, is_wildcard=True, now=0.0).is_allowed is wildcard


def test_parameters_bind_every_ca_only_later() -> None:
    """A CA that may overlook the parameters is not certain to refuse until it has to."""
    records = [issue("ca.example; validationmethods=dns-01")]
    assert not judge(records, OTHER, is_wildcard=False, now=HONOURED_FROM - 1).is_certain
    assert judge(records, OTHER, is_wildcard=False, now=HONOURED_FROM).is_certain
    assert judge([issue("letsencrypt.org; validationmethods=x")], OURS, is_wildcard=False, now=0.0).is_certain


def test_an_account_that_is_not_known_is_given_the_benefit_of_the_doubt() -> None:
    """Only the CA knows its URL; where there is none yet, no record can name it."""
    records = [issue("letsencrypt.org; accounturi=https://ca.example/acct/2")]
    unknown, none = (Applicant(OURS.identities, account, METHODS) for account in (None, ""))
    assert judge(records, unknown, is_wildcard=False, now=0.0).is_allowed
    assert "no account there yet" in judge(records, none, is_wildcard=False, now=0.0).why


def test_the_sentence_names_who_may() -> None:
    """The operator reads which CA the records name."""
    assert judge([issue("b.example"), issue("a.example")], OURS, is_wildcard=False, now=0.0).why == (
        "only a.example, b.example may issue"
    )
    assert judge([issue(";")], OURS, is_wildcard=False, now=0.0).why == "nobody may issue"


@given(st.text(max_size=60))
def test_any_value_permits_somebody_or_nobody(value: str) -> None:
    """A hostile value never raises, and never yields an issuer that is no domain name."""
    permission = parse_permission(value)
    assert isinstance(permission, Permission)
    assert all(character.isascii() for character in permission.issuer)
    assert " " not in permission.issuer
    assert all(" " not in content for _, content in permission.parameters)
