"""Which challenge to answer, and with what. Pure but for the key that a TLS-ALPN answer makes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Set

from josepy.b64 import b64encode
from josepy.jwk import JWK
from msgspec import Struct

from edge.certs.acme.resources import Authorization, Challenge
from edge.certs.acme.tls_alpn import tls_alpn_answer
from edge.certs.dns.persist import PersistentRecord
from edge.certs.dns.provider import TXTRecord
from edge.certs.publisher import HTTP01, ChallengeAnswer
from edge.config.acme_schema import ChallengeKind

PREFERENCE = ("http-01", "tls-alpn-01", "dns-01", "dns-persist-01")
"""http-01 first: it passes TLS terminators and CDNs in front of this host, tls-alpn-01 does not."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{22,128}")
"""base64url of at least 128 bits (RFC 8555 §8.1); it becomes part of a path and of a header line."""


_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


class Experience(Struct, frozen=True):
    """What the last validations of one name showed: the kind that worked, and the kind that failed since; "" for none."""

    works: str = ""
    failed: str = ""

    def after(self, kind: str, *, success: bool) -> Experience:
        """The experience with one more validation."""
        if success:
            return Experience(works=kind)
        return Experience(works="" if self.works == kind else self.works, failed=kind)


def answerable_kinds(
    authorization: Authorization, wanted: ChallengeKind, listeners: Set[str], *, has_dns: bool
) -> frozenset[str]:
    """The kinds that may be answered for one name; `listeners` are those that the listening sockets can."""
    identifier = authorization.identifier
    return usable_kinds(
        wanted, listeners, is_wildcard=bool(authorization.wildcard), is_address=identifier.type == "ip", has_dns=has_dns
    )


def usable_kinds(
    wanted: ChallengeKind, listeners: Set[str], *, is_wildcard: bool, is_address: bool, has_dns: bool
) -> frozenset[str]:
    """The same for a name that no CA has been asked about yet.

    A wildcard is proved by DNS alone and an address never is (RFC 8738 §7); for host names the operator's word counts."""
    if wanted == "dns-persist-01" and not is_address:
        return frozenset({wanted})
    by_dns = frozenset({"dns-01"} if has_dns else ())
    if is_wildcard:
        return by_dns
    if wanted == "auto" or (wanted.startswith("dns-") and is_address):
        return frozenset(listeners)
    return by_dns if wanted == "dns-01" else frozenset(listeners) & {wanted}


def choose(offered: Iterable[Challenge], answerable: Set[str], experience: Experience) -> Challenge | None:
    """The challenge to answer, None when there is none that we can.

    One that the CA is already looking at comes first (after a crash), then what worked last time, then `PREFERENCE`; what
    failed last time comes last, so that failures alternate. Types that edge does not know are passed over.
    """
    candidates = [
        challenge
        for challenge in offered
        if challenge.type in PREFERENCE and challenge.type in answerable and challenge.url and _is_complete(challenge)
    ]
    return min(candidates, key=lambda challenge: _rank(challenge, experience), default=None)


def _is_complete(challenge: Challenge) -> bool:
    """A persistent record needs a name of the CA, all others a token."""
    if challenge.type == "dns-persist-01":
        return bool(challenge.issuers) and all(map(_DOMAIN.fullmatch, challenge.issuers or ()))
    return _TOKEN.fullmatch(challenge.token) is not None


def _rank(challenge: Challenge, experience: Experience) -> tuple[bool, bool, bool, int]:
    kind = challenge.type
    return (
        challenge.status != "processing",
        kind == experience.failed,
        kind != experience.works,
        PREFERENCE.index(kind),
    )


def answer_for(
    authorization: Authorization, challenge: Challenge, account_key: JWK, account_url: str, now: float
) -> ChallengeAnswer | TXTRecord | PersistentRecord:
    """What has to be served, or to stand in DNS, for `challenge`. The key authorization is RFC 8555 §8.1's: token and
    thumbprint of the key."""
    name = authorization.identifier.value
    if challenge.type == "dns-persist-01":
        return PersistentRecord(name, tuple(challenge.issuers or ()), account_url, bool(authorization.wildcard))
    key_authorization = f"{challenge.token}.{b64encode(account_key.thumbprint()).decode()}"
    if challenge.type == "http-01":
        return HTTP01(name, challenge.token, key_authorization)
    if challenge.type == "dns-01":
        return dns_answer(name, key_authorization)
    return tls_alpn_answer(name, key_authorization, now)


def dns_answer(name: str, key_authorization: str) -> TXTRecord:
    """RFC 8555 §8.4: the digest of the key authorization, at the same place for a name and its wildcard."""
    digest = hashlib.sha256(key_authorization.encode()).digest()
    return TXTRecord(f"_acme-challenge.{name}", b64encode(digest).decode())
