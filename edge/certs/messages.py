"""What the operator is told: the fields of each log event about a certificate, in words. Pure.

A failure always says: which name, in which phase, at which CA, which attempt, the cause, what to check, when the next try is,
and what is served meanwhile.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeAlias

from edge.certs.chain import Leaf
from edge.certs.issuer import ErrorClass, IssueFailed
from edge.certs.renewal import Urgency
from edge.certs.state import CertificateState

Fields: TypeAlias = dict[str, str | int]

_CHECKS = {
    ErrorClass.TRANSPORT: "can this machine reach the CA (DNS, firewall, proxy)? edge keeps trying",
    ErrorClass.RATE: "nothing to do: edge waits; a storage directory lost between restarts is the usual cause",
    ErrorClass.VALIDATION: "does the name point to this machine, and do TCP ports 80 and 443 reach edge from outside?",
    ErrorClass.DNS: "look at [acme.dns]: can edge change the zone, and do all its name servers follow?",
    ErrorClass.POLICY: "the CA refuses this name: look at CAA records and the spelling, or ask another CA",
    ErrorClass.ACCOUNT: "the CA refuses the account: look at the account settings of this CA",
    ErrorClass.ORDER: "nothing to do: edge makes a new order",
    ErrorClass.LOCAL: "look at the storage: free space and permissions of its directory, or the server that the cause names",
}

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def in_words(seconds: float) -> str:
    """A duration for people: the largest unit that fits twice, `90 s`, `15 min`, `28 d`."""
    for size, unit in _UNITS:
        if seconds >= 2 * size or seconds == size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(int(seconds), 0)} s"


def utc(at: float) -> str:
    """A POSIX time as ISO 8601 in UTC, to the second."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def serving(leaf: Leaf | None, now: float) -> str:
    """What visitors get meanwhile."""
    if leaf is None:
        return "a self-signed placeholder; browsers warn"
    if leaf.not_after <= now:
        return f"a certificate that expired {utc(leaf.not_after)}; browsers warn"
    return f"a certificate valid until {utc(leaf.not_after)} ({in_words(leaf.not_after - now)}); nothing is broken yet"


def failure_fields(name: str, failure: IssueFailed, state: CertificateState, leaf: Leaf | None, now: float) -> Fields:
    """The fields of a failed attempt; `state` is the memory after it."""
    wait = in_words(state.next_attempt - now)
    return {
        "name": name,
        "phase": failure.phase,
        "ca": state.last_error.ca if state.last_error else state.ca,
        "attempt": state.failures,
        "kind": failure.error_class.value,
        "cause": failure.detail,
        "check": failure.hint or _CHECKS[failure.error_class],
        "next_try": f"{utc(state.next_attempt)} (in {wait})",
        "serving": serving(leaf, now),
    }


def is_for_a_human(error_class: ErrorClass, level: Urgency, failures: int) -> bool:
    """Whether a failure is an error (someone must act) or a warning (it probably heals by itself)."""
    if error_class in (ErrorClass.POLICY, ErrorClass.ACCOUNT):
        return True
    return level >= Urgency.PRESSING and (level < Urgency.NOTHING_VALID or failures > 1)
