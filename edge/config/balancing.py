"""How requests are spread over origins, from raw settings. Each `parse_*` raises ValueError with one sentence."""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias, get_args

from edge.config.given import Complaints, RawSite
from edge.config.schema import Balancing

Policy: TypeAlias = Literal["round_robin", "least_connections", "hash_client", "hash_header", "sticky_cookie"]

POLICIES: Final = get_args(Policy)

MAX_HOLD: Final = 60.0
"""Seconds. Browsers' users leave long before, and load balancers in front give up at 60 s."""

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^`|~-]{1,64}").fullmatch
"""A field name (RFC 9110 §5.1); without `_`, because such names never reach an origin."""

_PATH = re.compile(r"/[!-\"$-~]{0,1023}").fullmatch
"""Printable ASCII without white space and fragment: what can stand in a request line."""


def resolve_balancing(raw: RawSite, complaints: Complaints) -> Balancing:
    """The `balance`, `health` and `hold_seconds` of a site."""
    default = Balancing()
    policy, header = complaints.attempt_or(raw.balance, parse_policy, (default.policy, default.header))
    if len(raw.upstreams) < 2 and raw.balance is not None:
        complaints.add(raw.balance.place, "there is nothing to balance between fewer than two upstreams")
    return Balancing(
        policy=policy,
        header=header,
        health=complaints.attempt_or(raw.health, parse_health, default.health),
        hold_seconds=complaints.attempt_or(raw.hold_seconds, parse_hold, default.hold_seconds),
    )


def parse_policy(text: str) -> tuple[Policy, str]:
    """The policy and, for `hash_header:NAME`, the lower-case name."""
    word, _, header = text.partition(":")
    for policy in POLICIES:
        if policy == word:
            break
    else:
        raise ValueError(
            f"{text!r}: write round_robin, least_connections, hash_client, hash_header:NAME or sticky_cookie"
        )
    if policy == "hash_header":
        if not _HEADER(header):
            raise ValueError(f"{text!r}: name a request header, like hash_header:X-Tenant")
    elif header:
        raise ValueError(f"{text!r}: {policy} takes nothing behind it")
    return policy, header.lower()


def parse_health(text: str) -> str:
    """A path with an optional query."""
    if not _PATH(text):
        raise ValueError(f"{text!r}: write the path of a health check, like /healthz")
    return text


def parse_hold(value: float) -> float:
    """Seconds, 0 for none."""
    if not 0 <= value <= MAX_HOLD:
        raise ValueError(f"{value!r}: seconds from 0 to {MAX_HOLD:.0f}")
    return float(value)
