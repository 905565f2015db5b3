"""When a certificate is renewed, how pressing that is, and when the CA is asked for its advice.

Pure: every number comes from the certificate's own lifetime, never from a constant number of days, so the same rules hold
for a 30-second test certificate and a 398-day one. Chance comes in as a seed or as a number, so that a restart (and another
node with the same storage) computes the same second again.

    with a renewal window (RFC 9773)     uniform in [start, end); in the past means now
    without                              2/3 of the lifetime, 1/2 below 10 days, ±1 % of the lifetime
    whatever the window says             not after the moment when 1/6 of the lifetime is left
    whatever anybody says                not too soon after the last issuances (`earliest_again`)
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Sequence
from enum import IntEnum, StrEnum

from msgspec import Struct

from edge.certs.chain import Leaf
from edge.certs.issuer import RenewalInfo

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

SHORT_LIVED = 10 * DAY
"""Below this a certificate is renewed at half of its life (Let's Encrypt's advice, and its own ARI does so)."""

SPREAD = 0.01
"""± share of the lifetime, so that certificates made together are not renewed together."""

LAST_CALL = 1 / 6
"""A renewal window that leaves less than this share is overruled: 7.5 d of 45 d, 26.7 h of 160 h."""

SPACING = HOUR, 0.05
"""Issuances of one certificate are at least this far apart: the smaller of a duration and a share of the lifetime."""

DAILY_ISSUANCES = 2
"""Per 24 h, for lifetimes over two days: a CA that always answers "in the past" must not drain its own duplicate limit."""


class RenewalReason(StrEnum):
    """Why the certificate is renewed when it is; the words `edge certs` shows."""

    WINDOW = "the CA's renewal window"
    LIFETIME = "share of its lifetime"
    LAST_CALL = "a sixth of its lifetime left"
    SPACING = "issued only a moment ago"
    REVOKED = "it has been revoked"


class Renewal(Struct, frozen=True):
    """Renew at the POSIX time `at`, for `reason`."""

    at: float
    reason: RenewalReason


def renewal(leaf: Leaf, window: RenewalInfo | None, issued: Sequence[float], seed: bytes, now: float) -> Renewal:
    """When to renew `leaf`.

    `issued` are the POSIX times of earlier issuances for the same names, `seed` a secret of the certificate (its private
    key): the same seed, certificate and window give the same second. An `at` in the past means now.
    """
    wish = _by_window(leaf, window, seed) if window else _by_lifetime(leaf, seed)
    last_call = leaf.not_after - leaf.lifetime * LAST_CALL
    if wish.at > last_call:
        wish = Renewal(last_call, RenewalReason.LAST_CALL)
    again = min(earliest_again(leaf.lifetime, issued, now), leaf.not_after)
    return Renewal(again, RenewalReason.SPACING) if again > wish.at else wish


def _by_window(leaf: Leaf, window: RenewalInfo, seed: bytes) -> Renewal:
    share = _share(seed, leaf.serial, repr(window.start), repr(window.end))
    at = window.start + share * (window.end - window.start)
    return Renewal(min(at, math.nextafter(window.end, window.start)), RenewalReason.WINDOW)


def _by_lifetime(leaf: Leaf, seed: bytes) -> Renewal:
    part = 1 / 2 if leaf.lifetime < SHORT_LIVED else 2 / 3
    part += SPREAD * (2 * _share(seed, leaf.serial) - 1)
    return Renewal(leaf.not_before + part * leaf.lifetime, RenewalReason.LIFETIME)


def _share(seed: bytes, *parts: str) -> float:
    """Uniform in [0, 1), the same for the same arguments."""
    digest = hmac.digest(seed, "|".join(parts).encode(), "sha256")
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


def earliest_again(lifetime: float, issued: Sequence[float], now: float) -> float:
    """The storm guard: no issuance before this POSIX time. Times after `now` (the clock was wrong) do not count."""
    past = sorted(at for at in issued if at <= now)
    if not past:
        return 0.0
    duration, share = SPACING
    earliest = past[-1] + min(duration, share * lifetime)
    if lifetime > 2 * DAY and len(past) >= DAILY_ISSUANCES:
        earliest = max(earliest, past[-DAILY_ISSUANCES] + DAY)
    return earliest


class Urgency(IntEnum):
    """How near a certificate is to its end."""

    CALM = 0
    SOON = 1
    """Under 25 % left: it should have been renewed; an operator hears of it daily."""
    PRESSING = 2
    """Under 10 % left: hourly."""
    CRITICAL = 3
    """Under 5 % left, or under 24 h of one that is due anyway."""
    NOTHING_VALID = 4
    """No certificate at all, or an expired one."""


def urgency(leaf: Leaf | None, now: float) -> Urgency:
    """How pressing it is to replace `leaf` (None: there is none)."""
    if leaf is None or leaf.not_after <= now:
        return Urgency.NOTHING_VALID
    left = leaf.not_after - now
    share = left / leaf.lifetime
    if share < 0.05 or (left < DAY and share < 0.25):
        return Urgency.CRITICAL
    if share < 0.10:
        return Urgency.PRESSING
    return Urgency.SOON if share < 0.25 else Urgency.CALM


def reminder_interval(level: Urgency) -> float:
    """Seconds between two reminders that a certificate is overdue."""
    return DAY if level <= Urgency.SOON else HOUR
