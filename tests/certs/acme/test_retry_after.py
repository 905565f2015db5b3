"""When the CA wants to be asked again, in our clock, whatever it says and wherever we are."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.certs.acme.polling import EVERY, FIRST_WAITS, JITTER, LONGEST, SHORTEST, own_waits, wait_for
from edge.certs.acme.retry_after import LONGEST_WAIT, clock_skew, parse_http_date, parse_retry_after, parse_retry_text

NOW = 1_790_000_000.0


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Tokyo"])
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize("skew", [0, 7200, -7200])
def test_a_date_counts_from_the_cas_clock(zone: str, skew: int) -> None:
    """In any time zone, with any difference between the clocks, 100 s later is 100 s later."""
    date, later = formatdate(NOW + skew, usegmt=True), formatdate(NOW + skew + 100, usegmt=True)
    assert parse_retry_after(later, date, NOW) == NOW + 100
    assert clock_skew(date, NOW) == skew
    words = time.strftime("Error: retry after %Y-%m-%d %H:%M:%S UTC: see", time.gmtime(NOW + skew + 100))
    assert parse_retry_text(words, date, NOW) == NOW + 100


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", NOW),
        ("120", NOW + 120),
        (" 7 ", NOW + 7),
        ("999999999999999", NOW + LONGEST_WAIT),
        (formatdate(NOW - 50, usegmt=True), NOW),
        (formatdate(NOW + 1e9, usegmt=True), NOW + LONGEST_WAIT),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("9" * 400, None),
        ("Mon, 99 Foo 2026 00:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", NOW + LONGEST_WAIT),
    ],
)
def test_values_are_bounded_or_ignored(value: str, expected: float | None) -> None:
    """The past is now, a century is a week, and what cannot be read is as if it were not there."""
    assert parse_retry_after(value, "", NOW) == expected


DATE_LIKE = st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,4} [A-Z][a-z]{2} [0-9]{1,6} [0-9:]{1,10} ([A-Z]{3}|[+-][0-9]{4})")


@given(st.text() | DATE_LIKE, st.text() | DATE_LIKE)
def test_no_text_raises(value: str, date: str) -> None:
    """Any text gives a time between now and the longest wait, or None."""
    for moment in (parse_retry_after(value, date, NOW), parse_retry_text(f"retry after {value}", date, NOW)):
        assert moment is None or NOW <= moment <= NOW + LONGEST_WAIT
    parse_http_date(value)


def test_impossible_times_in_words_are_ignored() -> None:
    """A rate limit's words are no promise of a calendar."""
    assert parse_retry_text("retry after 2026-13-45 99:99:99 UTC", "", NOW) is None
    assert parse_retry_text("try again", "", NOW) is None


def test_own_waits_grow_and_vary() -> None:
    """0.5, 1, 2, 3, 5, 8, then 10 s for ever, each within its jitter."""

    class Extreme:
        def __init__(self, end: int) -> None:
            self.end = end

        def uniform(self, *ends: float) -> float:
            return ends[self.end]

    for end, factor in ((0, 1 - JITTER), (1, 1 + JITTER)):
        waits = own_waits(Extreme(end))  # type: ignore[arg-type]  # only `uniform` is asked
        assert [next(waits) for _ in range(8)] == [wait * factor for wait in (*FIRST_WAITS, EVERY, EVERY)]


def test_the_cas_wait_is_believed_between_bounds() -> None:
    """A Retry-After replaces our own wait, clamped."""
    assert wait_for(3.0, None, NOW) == 3.0
    assert wait_for(3.0, NOW - 5, NOW) == SHORTEST
    assert wait_for(3.0, NOW + 7, NOW) == 7.0
    assert wait_for(3.0, NOW + 999, NOW) == LONGEST
