"""Conditional requests (RFC 9110 §13)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.http.conditional import Conditions, Decision, Validators, conditions_of, decide
from edge.http.dates import format_http_date

MODIFIED = 1_700_000_000
SAME = format_http_date(MODIFIED)
EARLIER = format_http_date(MODIFIED - 1)
LATER = format_http_date(MODIFIED + 1)
CURRENT = Validators(b'"v1"', MODIFIED, is_date_strong=True)
RECENT = Validators(b'"v1"', MODIFIED, is_date_strong=False)

WHOLE, RANGE, NOT_MODIFIED, FAILED = Decision.WHOLE, Decision.RANGE, Decision.NOT_MODIFIED, Decision.FAILED


@pytest.mark.parametrize(
    ("value", "decision"),
    [
        (b'"v1"', WHOLE), (b"*", WHOLE), (b'"v0", "v1"', WHOLE), (b',,"v0" ,\t"v1",', WHOLE),
        (b'"v0"', FAILED), (b'W/"v1"', FAILED), (b"v1", FAILED), (b'"v1" "v0"', FAILED), (b"", FAILED), (b'"v1', FAILED),
    ],
)  # fmt: skip
def test_if_match_wants_a_strong_match(value: bytes, decision: Decision) -> None:
    """If-Match compares strongly; no match, or a list that is none, is 412 (§13.1.1)."""
    assert decide(b"GET", Conditions(if_match=value), CURRENT) is decision


@pytest.mark.parametrize(
    ("value", "decision"),
    [
        (b'"v1"', NOT_MODIFIED), (b'W/"v1"', NOT_MODIFIED), (b"*", NOT_MODIFIED), (b'"v0", W/"v1"', NOT_MODIFIED),
        (b'"a,b", "v1"', NOT_MODIFIED),
        (b'"v0"', WHOLE), (b"v1", WHOLE), (b'w/"v1"', WHOLE), (b'"x\\"v1"', WHOLE), (b"", WHOLE), (b"* , *", WHOLE),
    ],
)  # fmt: skip
def test_if_none_match_compares_weakly(value: bytes, decision: Decision) -> None:
    """If-None-Match compares weakly; a match is 304, a list that is none matches nothing (§13.1.2)."""
    assert decide(b"GET", Conditions(if_none_match=value), CURRENT) is decision
    assert decide(b"HEAD", Conditions(if_none_match=value), CURRENT) is decision


@pytest.mark.parametrize(
    ("value", "since", "unmodified"),
    [
        (EARLIER, WHOLE, FAILED),
        (SAME, NOT_MODIFIED, WHOLE),
        (LATER, NOT_MODIFIED, WHOLE),
        (b"yesterday", WHOLE, WHOLE),
        (SAME + b", " + SAME, WHOLE, WHOLE),
    ],
)
def test_dates_compare_by_order(value: bytes, since: Decision, unmodified: Decision) -> None:
    """If-Modified-Since and If-Unmodified-Since; a date that is none takes the condition away (§13.1.3, §13.1.4)."""
    assert decide(b"GET", Conditions(if_modified_since=value), CURRENT) is since
    assert decide(b"GET", Conditions(if_unmodified_since=value), CURRENT) is unmodified


@pytest.mark.parametrize(
    ("conditions", "decision"),
    [
        (Conditions(if_match=b'"v1"', if_unmodified_since=EARLIER), WHOLE),
        (Conditions(if_match=b'"v0"', if_unmodified_since=LATER), FAILED),
        (Conditions(if_none_match=b'"v0"', if_modified_since=LATER), WHOLE),
        (Conditions(if_none_match=b'"v1"', if_modified_since=EARLIER), NOT_MODIFIED),
        (Conditions(if_match=b'"v0"', if_none_match=b'"v1"'), FAILED),
        (Conditions(if_match=b'"v1"', if_none_match=b'"v1"'), NOT_MODIFIED),
        (Conditions(if_none_match=b'"v1"', range=b"bytes=0-0"), NOT_MODIFIED),
        (Conditions(if_unmodified_since=EARLIER, range=b"bytes=0-0"), FAILED),
        (Conditions(if_match=b'"v1"', range=b"bytes=0-0"), RANGE),
    ],
)
def test_conditions_are_taken_in_order(conditions: Conditions, decision: Decision) -> None:
    """Entity tags beat dates, preconditions beat caching, caching beats ranges (§13.2.2)."""
    assert decide(b"GET", conditions, CURRENT) is decision


@pytest.mark.parametrize(
    ("value", "decision"),
    [
        (b'"v1"', RANGE), (b'W/"v1"', WHOLE), (b'"v0"', WHOLE), (b'"v0", "v1"', WHOLE), (b"*", WHOLE),
        (SAME, RANGE), (EARLIER, WHOLE), (LATER, WHOLE), (b"nonsense", WHOLE),
    ],
)  # fmt: skip
def test_if_range_wants_the_very_same(value: bytes, decision: Decision) -> None:
    """If-Range takes one strong tag or the exact date; else the whole is sent (§13.1.5)."""
    assert decide(b"GET", Conditions(if_range=value, range=b"bytes=0-0"), CURRENT) is decision


def test_a_date_that_may_stand_for_two_versions_is_no_if_range() -> None:
    """A date is a strong validator only if the file was left alone for a second (§8.8.2.2)."""
    assert decide(b"GET", Conditions(if_range=SAME, range=b"bytes=0-0"), RECENT) is WHOLE


def test_ranges_are_for_get() -> None:
    """HEAD ignores Range, and If-Range without Range means nothing (§14.2)."""
    assert decide(b"HEAD", Conditions(range=b"bytes=0-0"), CURRENT) is WHOLE
    assert decide(b"GET", Conditions(if_range=b'"v1"'), CURRENT) is WHOLE


def test_lines_of_a_list_belong_together() -> None:
    """Several If-None-Match lines are one list; other fields are no conditions."""
    fields = ((b"if-none-match", b'"v0"'), (b"accept", b"*/*"), (b"if-none-match", b'"v1"'))
    conditions = conditions_of(fields)
    assert conditions == Conditions(if_none_match=b'"v0", "v1"')
    assert decide(b"GET", conditions, CURRENT) is NOT_MODIFIED


@given(st.text(alphabet='W/"v1*, \t', max_size=30).map(str.encode))
def test_any_list_is_decided(value: bytes) -> None:
    """Whatever a tag list holds, both comparisons come to a decision, and a strong match is a weak one too."""
    strong = decide(b"GET", Conditions(if_match=value), CURRENT)
    weak = decide(b"GET", Conditions(if_none_match=value), CURRENT)
    assert strong in (WHOLE, FAILED)
    assert weak in (WHOLE, NOT_MODIFIED)
    if strong is WHOLE:
        assert weak is NOT_MODIFIED
