"""When the CA wants to be asked again, in our own clock.

A CA says it as seconds, as a date, or in the words of a rate limit. A date is only meaningful in the CA's clock, so every
date is read as a distance from the reply's own `Date` field and added to our time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_WAIT = 7 * 86400.0
"""Seconds. The longest period of any published rate limit; a CA that asks for more has a broken clock or wants us gone."""

_SECONDS = re.compile(r"[0-9]{1,15}")
_IN_WORDS = re.compile(
    r"retry after ([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}:[0-9]{2}:[0-9]{2}) ?(?:UTC|Z)", re.IGNORECASE
)


def parse_http_date(text: str) -> float | None:
    """An HTTP-date (RFC 9110 §5.6.7) as POSIX time, or None."""
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def clock_skew(date: str, now: float) -> float:
    """Seconds that the CA's clock is ahead of ours, from its `Date` field; 0.0 when it sent none."""
    theirs = parse_http_date(date)
    return 0.0 if theirs is None else theirs - now


def parse_retry_after(value: str, date: str, now: float) -> float | None:
    """`Retry-After` (RFC 9110 §10.2.3, seconds or date) as a POSIX time in our clock, or None when there is none to read."""
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return _bounded(now + float(value), now)
    theirs = parse_http_date(value)
    return None if theirs is None else _bounded(theirs - clock_skew(date, now), now)


def parse_retry_text(detail: str, date: str, now: float) -> float | None:
    """The time in "… retry after 2026-11-23 08:10:00 UTC …", which Let's Encrypt puts into rate limit details."""
    found = _IN_WORDS.search(detail)
    if found is None:
        return None
    try:
        theirs = datetime.fromisoformat(f"{found[1]}T{found[2]}+00:00").timestamp()
    except (ValueError, OverflowError):
        return None
    return _bounded(theirs - clock_skew(date, now), now)


def _bounded(moment: float, now: float) -> float:
    return min(max(moment, now), now + LONGEST_WAIT)
