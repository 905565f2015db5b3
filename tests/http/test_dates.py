"""HTTP dates: one form out, three forms in, nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.http.dates import DateCache, format_http_date, parse_http_date

MOMENT = 784111777
"""The moment that RFC 9110 §5.6.7 writes in all three forms."""

IN_2026 = 1_790_000_000.0


@pytest.mark.parametrize(
    "value",
    [b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sunday, 06-Nov-94 08:49:37 GMT", b"Sun Nov  6 08:49:37 1994"],
    ids=["imf-fixdate", "rfc850", "asctime"],
)
def test_all_three_forms_are_read(value: bytes) -> None:
    """A recipient must accept all three HTTP-date forms."""
    assert parse_http_date(value, IN_2026) == MOMENT
    assert parse_http_date(value) == MOMENT


def test_imf_fixdate_is_written() -> None:
    """A sender writes IMF-fixdate only, and cuts fractions off."""
    assert format_http_date(MOMENT + 0.999) == b"Sun, 06 Nov 1994 08:49:37 GMT"


@given(st.integers(min_value=0, max_value=253402300799))
def test_what_is_written_is_read_back(moment: int) -> None:
    """Formatting and parsing are inverse for every second until the year 9999."""
    assert parse_http_date(format_http_date(moment)) == moment


@given(st.binary(max_size=40))
def test_any_bytes_are_a_date_or_none(value: bytes) -> None:
    """No input raises."""
    assert parse_http_date(value, IN_2026) is None or len(value) >= 24


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"0",
        b"Sun, 06 Nov 1994 08:49:37",
        b"Sun, 06 Nov 1994 08:49:37 UTC",
        b"Sun, 06 Nov 1994 08:49:37 +0000",
        b"sun, 06 nov 1994 08:49:37 gmt",
        b"Sun, 6 Nov 1994 08:49:37 GMT",
        b"Sun, 31 Feb 1994 08:49:37 GMT",
        b"Sun, 06 Nov 0000 08:49:37 GMT",
        b"Sun, 06 Nov 1994 24:00:00 GMT",
        b"Sun, 06 Nov 1994 08:60:00 GMT",
        b"Sun, 06 Nov 1994 08:49:61 GMT",
        b"Sun, 06 Nov 1994 08:49:37 GMT ",
        b"Sun, 06 Nov 1994 08:49:37 GMT\n",
        b"Sun Nov 6 08:49:37 1994",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT".encode(),
    ],
)
def test_everything_else_is_none(value: bytes) -> None:
    """A date in another form, another zone, or one that no calendar has is not understood."""
    assert parse_http_date(value) is None


def test_a_leap_second_is_read() -> None:
    """The grammar allows second 60."""
    assert parse_http_date(b"Sat, 31 Dec 2016 23:59:60 GMT") == parse_http_date(b"Sun, 01 Jan 2017 00:00:00 GMT")


@pytest.mark.parametrize(("digits", "year"), [(b"26", 2026), (b"76", 2076), (b"77", 1977), (b"99", 1999)])
def test_two_digit_years_lie_at_most_fifty_years_ahead(digits: bytes, year: int) -> None:
    """A two-digit year more than 50 years ahead is a past one (RFC 9110 §5.6.7)."""
    form = b"Monday, 01-Jun-%s 00:00:00 GMT" % digits
    assert parse_http_date(form, IN_2026) == parse_http_date(b"Mon, 01 Jun %d 00:00:00 GMT" % year)


def test_the_cache_formats_once_a_second() -> None:
    """Within one second the very same bytes are handed out; a clock set back is followed."""
    clock = iter([100.0, 100.9, 101.0, 99.0])
    cache = DateCache(lambda: next(clock))
    first, again, later, back = cache.current(), cache.current(), cache.current(), cache.current()
    assert first is again
    assert [first, later, back] == [format_http_date(second) for second in (100, 101, 99)]
