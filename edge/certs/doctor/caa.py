"""May this CA issue for this name? What CAA records say (RFC 8659), with the account and the methods they ask for (RFC 8657).

Pure. The records given are those of the closest name that has any; finding them is the caller's business. No records allow
everybody.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

CRITICAL = 0x80
"""Issuer critical flag (RFC 8659 §4.1): who does not understand the property must not issue."""

KNOWN = frozenset({"issue", "issuewild", "issuemail", "issuevmc", "iodef", "contactemail", "contactphone"})
"""Property tags that CAs understand; a critical one that is none of these stops them all."""

HONOURED_BY = frozenset({"letsencrypt.org"})
"""CAs that have honoured account and methods for years …"""

HONOURED_FROM = datetime(2027, 3, 15, tzinfo=UTC).timestamp()
"""… from this day on every public CA must (ballot SC-098v2)."""

_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE).fullmatch
_TAG = re.compile(r"[a-z0-9]+(?:-+[a-z0-9]+)*", re.IGNORECASE).fullmatch
_VALUE = re.compile(r"[\x21-\x3a\x3c-\x7e]*").fullmatch


class CAARecord(Struct, frozen=True):
    """One property; `tag` in lower case."""

    flags: int
    tag: str
    value: str


class Permission(Struct, frozen=True):
    """An issue or issuewild value: who may, and with which parameters. `issuer` is "" for nobody."""

    issuer: str
    parameters: tuple[tuple[str, str], ...] = ()

    def values(self, name: str) -> list[str]:
        """All values of a parameter."""
        return [value for key, value in self.parameters if key == name]


class Applicant(Struct, frozen=True):
    """Who would ask whom, and how: `identities` are the CA's names in CAA records, `account` is the account's URL ("" when there
    is none yet, None when it is not known), `methods` are the challenges that may be used."""

    identities: frozenset[str]
    account: str | None
    methods: frozenset[str]


class Verdict(Struct, frozen=True):
    """Whether the CA may issue, and when not: why, and whether every CA of this kind is bound to refuse."""

    is_allowed: bool
    why: str = ""
    is_certain: bool = True


ALLOWED = Verdict(True)


def parse_permission(value: str) -> Permission:
    """An issue value (RFC 8659 §4.2). One that is malformed permits nobody, as the RFC wants it."""
    domain, separator, rest = value.partition(";")
    domain = domain.strip(" \t")
    if domain and not _DOMAIN(domain):
        return Permission("")
    parameters: list[tuple[str, str]] = []
    for part in rest.split(";") if separator and rest.strip(" \t") else ():
        tag, equals, content = (piece.strip(" \t") for piece in part.partition("="))
        if not equals or not _TAG(tag) or not _VALUE(content):
            return Permission("")
        parameters.append((tag.lower(), content))
    return Permission(domain.lower(), tuple(parameters))


def judge(records: Sequence[CAARecord], applicant: Applicant, *, is_wildcard: bool, now: float) -> Verdict:
    """What the CA has to conclude from the relevant record set."""
    strange = next((each for each in records if each.flags & CRITICAL and each.tag not in KNOWN), None)
    if strange is not None:
        return Verdict(False, f"the critical property {strange.tag!r}, which CAs do not know, forbids all of them")
    permissions = _relevant(records, is_wildcard=is_wildcard)
    if not permissions:
        return ALLOWED
    ours = [each for each in permissions if each.issuer in applicant.identities]
    if not ours:
        return Verdict(False, f"{_issuers(permissions)} may issue")
    if any(_fits(each, applicant) for each in ours):
        return ALLOWED
    is_honoured = bool(applicant.identities & HONOURED_BY) or now >= HONOURED_FROM
    return Verdict(False, "; ".join(dict.fromkeys(_misfit(each, applicant) for each in ours)), is_honoured)


def _relevant(records: Sequence[CAARecord], *, is_wildcard: bool) -> list[Permission]:
    """issuewild takes the place of issue for wildcards, if there is any (RFC 8659 §4.3)."""
    wild = [each for each in records if is_wildcard and each.tag == "issuewild"]
    plain = [each for each in records if each.tag == "issue"]
    return [parse_permission(each.value) for each in wild or plain]


def _fits(permission: Permission, applicant: Applicant) -> bool:
    return not _misfit(permission, applicant)


def _misfit(permission: Permission, applicant: Applicant) -> str:
    """Why the parameters exclude the applicant, or "" (RFC 8657 §3, §4)."""
    accounts = permission.values("accounturi")
    if accounts and applicant.account is not None and (len(accounts) > 1 or accounts[0] != applicant.account):
        have = f"edge has {applicant.account}" if applicant.account else "edge has no account there yet"
        return f"accounturi names the account {', '.join(accounts)}, {have}"
    lists = permission.values("validationmethods")
    allowed = {method for each in lists for method in each.split(",")}
    if lists and (len(lists) > 1 or not allowed & applicant.methods):
        wanted = ", ".join(sorted(applicant.methods)) or "none"
        return f"validationmethods allows {', '.join(lists)}, edge can prove by {wanted}"
    return ""


def _issuers(permissions: Sequence[Permission]) -> str:
    named = sorted({each.issuer for each in permissions if each.issuer})
    return f"only {', '.join(named)}" if named else "nobody"
