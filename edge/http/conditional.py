"""Conditional requests: what If-Match and its relatives make of a request, as one decision (RFC 9110 §13.2.2).

    1  If-Match                 no strong match                              → 412
    2  else If-Unmodified-Since modified later                               → 412
    3  If-None-Match            weak match                                   → 304 for GET and HEAD
    4  else If-Modified-Since   not modified later                           → 304 for GET and HEAD
    5  Range with If-Range      strong match → the range, none → the whole
    6  Range                    → the range (GET only)

A list of entity tags that cannot be parsed matches nothing, so If-Match fails and If-None-Match lets the request through; a
date that cannot be parsed takes its condition away. Both are what the RFC asks for, and both err on the side of sending.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from msgspec import Struct

from edge.http.dates import parse_http_date
from edge.http.message import Fields

_ENTITY_TAG = rb'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_IS_LIST = re.compile(rb"[\t ,]*(?:" + _ENTITY_TAG + rb"[\t ]*(?:,[\t ,]*|$))*").fullmatch
_TAGS = re.compile(_ENTITY_TAG).findall


class Decision(Enum):
    """What to answer a GET or HEAD with."""

    WHOLE = auto()
    """200."""
    RANGE = auto()
    """206, or 416, or 200 if the Range field turns out to be unusable."""
    NOT_MODIFIED = auto()
    """304."""
    FAILED = auto()
    """412."""


class Validators(Struct, frozen=True, gc=False):
    """What identifies the selected representation (RFC 9110 §8.8).

    `etag` is a strong entity tag with its quotes; `modified` is Last-Modified in POSIX seconds. `is_date_strong`: the file had
    been left alone for a second when it was read, so that equal dates mean equal bytes (§8.8.2.2).
    """

    etag: bytes
    modified: int
    is_date_strong: bool


class Conditions(Struct, frozen=True, gc=False):
    """The fields that make a request conditional or partial, each with its lines joined, or None."""

    if_match: bytes | None = None
    if_unmodified_since: bytes | None = None
    if_none_match: bytes | None = None
    if_modified_since: bytes | None = None
    if_range: bytes | None = None
    range: bytes | None = None


_NAMES = {
    b"if-match": "if_match",
    b"if-unmodified-since": "if_unmodified_since",
    b"if-none-match": "if_none_match",
    b"if-modified-since": "if_modified_since",
    b"if-range": "if_range",
    b"range": "range",
}

CONDITION_FIELDS = frozenset(_NAMES)
"""A request without any of these is neither conditional nor partial."""


def conditions_of(fields: Fields) -> Conditions:
    """The conditions among request fields."""
    found: dict[str, bytes] = {}
    for name, value in fields:
        key = _NAMES.get(name)
        if key is not None:
            found[key] = found[key] + b", " + value if key in found else value
    return Conditions(**found)


def decide(method: bytes, conditions: Conditions, current: Validators) -> Decision:
    """Apply `conditions` to the current representation; `method` is GET or HEAD.

    Source: RFC 9110 §13.2.2.
    """
    if not _may_proceed(conditions, current):
        return Decision.FAILED
    if _is_known(conditions, current):
        return Decision.NOT_MODIFIED
    if method != b"GET" or conditions.range is None:
        return Decision.WHOLE
    if conditions.if_range is not None and not _is_same(conditions.if_range, current):
        return Decision.WHOLE
    return Decision.RANGE


def _may_proceed(conditions: Conditions, current: Validators) -> bool:
    """Steps 1 and 2: does the client act on what is there now?"""
    if conditions.if_match is not None:
        return _matches_strongly(conditions.if_match, current.etag)
    if conditions.if_unmodified_since is not None:
        date = parse_http_date(conditions.if_unmodified_since)
        return date is None or current.modified <= date
    return True


def _is_known(conditions: Conditions, current: Validators) -> bool:
    """Steps 3 and 4: does the client have what is there now?"""
    if conditions.if_none_match is not None:
        return _matches_weakly(conditions.if_none_match, current.etag)
    if conditions.if_modified_since is not None:
        date = parse_http_date(conditions.if_modified_since)
        return date is not None and current.modified <= date
    return False


def _is_same(if_range: bytes, current: Validators) -> bool:
    """Step 5: one strong entity tag, or the exact date if dates tell versions apart (RFC 9110 §13.1.5)."""
    if if_range.endswith(b'"'):
        return if_range == current.etag
    return current.is_date_strong and parse_http_date(if_range) == current.modified


def _matches_strongly(value: bytes, etag: bytes) -> bool:
    return value == b"*" or etag in _entity_tags(value)


def _matches_weakly(value: bytes, etag: bytes) -> bool:
    return value == b"*" or any(tag.removeprefix(b"W/") == etag for tag in _entity_tags(value))


def _entity_tags(value: bytes) -> list[bytes]:
    """The members of an entity-tag list, empty members skipped (RFC 9110 §5.6.1); [] if it is none."""
    return _TAGS(value) if _IS_LIST(value) else []
