"""What DNS says about one name, as public resolvers and its authoritative servers tell it, judged with an order in mind.

A failure is CERTAIN only when every server that answered says the same, resolvers and authoritative servers both: a resolver may
remember what was, and one server may lag behind. Whoever does not answer has no say.
"""

from __future__ import annotations

import asyncio

from edge.certs.doctor.caa import Applicant, CAARecord, judge
from edge.certs.doctor.finding import Finding, Grade, good, problem, unknown
from edge.certs.doctor.questions import Questions, Reply
from edge.certs.issuer import ErrorClass

SILENT = "no public resolver answers from here, so this could not be looked at"

MOST_WITNESSES = 2
"""Resolvers that must agree on a DNSSEC failure: one may have trouble of its own."""


async def look_at_addresses(questions: Questions, name: str, *, must_exist: bool) -> tuple[Finding, tuple[str, ...]]:
    """Whether the CA will find an address, and the addresses. `must_exist` is False where the name is proved by DNS."""
    families = await asyncio.gather(*(questions.publicly(name, kind) for kind in ("A", "AAAA")))
    replies = [reply for family in families for reply in family if reply.is_answer]
    addresses = tuple(dict.fromkeys(address for reply in replies for address in reply.addresses))
    if addresses:
        return good("addresses", f"{name} is {', '.join(addresses)} for public resolvers"), addresses
    if not replies:
        return unknown("addresses", SILENT), ()
    if not must_exist:
        return good("addresses", f"{name} has none, and needs none to be proved by DNS"), ()
    what = "does not exist in DNS" if all(reply.is_absent for reply in replies) else "has no A or AAAA record"
    remedy = "make an A or AAAA record that points to this machine"
    is_certain = await _is_bare(questions, name)
    where = "its authoritative servers say so" if is_certain else "so public resolvers say"
    grade = Grade.CERTAIN if is_certain else Grade.PROBLEM
    return Finding("addresses", grade, f"{name} {what} ({where}): {remedy}"), ()


async def _is_bare(questions: Questions, name: str) -> bool:
    """Whether all authoritative servers that answer know no address, and no alias that might lead to one."""
    families = await asyncio.gather(*(questions.authoritatively(name, kind) for kind in ("A", "AAAA")))
    return all(families) and not any(
        reply.addresses or reply.owner != name for replies in families for reply in replies
    )


async def look_at_dnssec(questions: Questions, name: str) -> Finding:
    """Whether resolvers that check signatures refuse the name: since March 2026 every CA checks them."""
    checked, unchecked = await asyncio.gather(
        questions.publicly(name, "A"), questions.publicly(name, "A", unchecked=True)
    )
    if not checked:
        return unknown("DNSSEC", SILENT)
    if any(reply.is_answer for reply in checked):
        return good("DNSSEC", f"resolvers that check signatures answer for {name}")
    if not any(reply.is_answer for reply in unchecked):
        return problem("DNSSEC", f"resolvers get no answer about {name} at all: do the name servers of its zone work?")
    grade = Grade.CERTAIN if len(checked) >= MOST_WITNESSES else Grade.PROBLEM
    sentence = (
        f"the signatures of the zone of {name} do not fit (resolvers answer only when told not to check): correct the DS record"
        " at the registrar, or sign the zone anew"
    )
    return Finding("DNSSEC", grade, sentence)


async def look_at_caa(questions: Questions, name: str, applicant: Applicant, now: float) -> Finding:
    """Whether CAA records let the CA issue."""
    if not applicant.identities:
        return unknown("CAA", "the CA does not say by which name CAA records know it, so they could not be judged")
    base, is_wildcard = name.removeprefix("*."), name.startswith("*.")
    found = await _relevant_set(questions, base)
    if found is None:
        return unknown("CAA", SILENT)
    owner, records = found
    verdict = judge(records, applicant, is_wildcard=is_wildcard, now=now)
    if verdict.is_allowed:
        where = f"the records of {owner} allow it" if records else "no records, so every CA may"
        return good("CAA", f"{', '.join(sorted(applicant.identities))} may issue for {name}: {where}")
    is_certain = verdict.is_certain and await _is_confirmed(
        questions, owner, applicant, is_wildcard=is_wildcard, now=now
    )
    tag = "issuewild" if is_wildcard else "issue"
    sentence = (
        f"{min(applicant.identities)} may not issue for {name}, the CAA records of {owner} say: {verdict.why};"
        f' a record that allows it: {owner}. CAA 0 {tag} "{min(applicant.identities)}"'
    )
    return Finding("CAA", Grade.CERTAIN if is_certain else Grade.PROBLEM, sentence, ErrorClass.POLICY)


async def _relevant_set(questions: Questions, name: str) -> tuple[str, tuple[CAARecord, ...]] | None:
    """The closest name that has CAA records, and these (RFC 8659 §3); ("", ()) for none, None when nobody answers."""
    labels = name.split(".")
    climb = [".".join(labels[index:]) for index in range(len(labels))]
    levels = await asyncio.gather(*(questions.publicly(each, "CAA") for each in climb))
    for level in levels:
        replies = [reply for reply in level if reply.is_answer]
        if not replies:
            return None
        holder = next((reply for reply in replies if reply.policies), None)
        if holder:
            return holder.owner, holder.policies
    return "", ()


async def _is_confirmed(
    questions: Questions, owner: str, applicant: Applicant, *, is_wildcard: bool, now: float
) -> bool:
    """Whether the authoritative servers say the same; a resolver may remember a record that has been changed."""
    replies: list[Reply] = await questions.authoritatively(owner, "CAA")
    verdicts = [judge(reply.policies, applicant, is_wildcard=is_wildcard, now=now) for reply in replies]
    return bool(verdicts) and all(
        reply.policies and not verdict.is_allowed and verdict.is_certain
        for reply, verdict in zip(replies, verdicts, strict=True)
    )
