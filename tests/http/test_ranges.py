"""Byte ranges (RFC 9110 §14)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.http.ranges import (
    MAX_PARTS,
    PART_OVERHEAD,
    ByteRange,
    content_range,
    length_of,
    multipart_pieces,
    multipart_type,
    parse_range,
    unsatisfied_range,
)

SIZE = 10_000


def bounds(value: bytes, size: int = SIZE) -> list[tuple[int, int]] | None:
    ranges = parse_range(value, size)
    return None if ranges is None else [(each.start, each.stop) for each in ranges]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"bytes=0-0", (0, 1)),
        (b"bytes=0-99", (0, 100)),
        (b"bytes=9999-", (9999, SIZE)),
        (b"bytes=0-", (0, SIZE)),
        (b"bytes=-1", (9999, SIZE)),
        (b"bytes=-20000", (0, SIZE)),
        (b"bytes=9000-999999999999", (9000, SIZE)),
        (b"Bytes=0-0", (0, 1)),
        (b"bytes= 0-0 ,", (0, 1)),
    ],
)
def test_one_range(value: bytes, expected: tuple[int, int]) -> None:
    """First and last, first alone, suffix; clipped to the representation (§14.1.2)."""
    assert bounds(value) == [expected]


@pytest.mark.parametrize("value", [b"bytes=10000-", b"bytes=10000-10001", b"bytes=-0", b"bytes=10000-,-0"])
def test_what_does_not_exist_is_unsatisfiable(value: bytes) -> None:
    """Ranges that all lie behind the end are 416."""
    assert bounds(value) == []


@pytest.mark.parametrize(
    "value",
    [
        b"", b"bytes", b"bytes=", b"bytes=,", b"bytes=a-b", b"bytes=5-2", b"bytes=-", b"bytes=--1", b"bytes=1", b"items=0-1",
        b"bytes=0-1;2-3", b"bytes=0-1,x", b"bytes=+1-2", b"bytes=0x1-2", b"bytes=1 - 2", b"bytes=" + b"9" * 5000 + b"-",
        b"bytes=" + b",".join(b"%d-%d" % (i * 500, i * 500) for i in range(MAX_PARTS + 1)),
        b"bytes=" + b"0-," * 1000,
    ],
)  # fmt: skip
def test_what_is_not_plainly_right_is_ignored(value: bytes) -> None:
    """Bad syntax, other units and too many parts make the field mean nothing (§14.2)."""
    assert bounds(value) is None


def test_an_empty_representation_has_no_ranges() -> None:
    """Range is ignored for an empty file."""
    assert bounds(b"bytes=0-", 0) is None
    assert bounds(b"bytes=-1", 0) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"bytes=0-0,-1", [(0, 1), (9999, 10000)]),
        (b"bytes=5000-5001,0-1", [(5000, 5002), (0, 2)]),
        (b"bytes=0-99,50-149", [(0, 150)]),
        (b"bytes=0-9,20-29", [(0, 30)]),
        (b"bytes=0-0,5000-5000,%d-%d" % (PART_OVERHEAD + 1, 200), [(0, 201), (5000, 5001)]),
        (b"bytes=0-0,300-300,1-290", [(0, 301)]),
        (b"bytes=0-,-1,5-6", [(0, 10000)]),
        (b"bytes=20000-,0-0", [(0, 1)]),
    ],
)
def test_close_ranges_are_joined(value: bytes, expected: list[tuple[int, int]]) -> None:
    """Order as asked; overlapping and nearly touching ranges become one (§15.3.7.2)."""
    assert bounds(value) == expected


def test_content_range_values() -> None:
    """Content-Range counts from 0 and includes its last byte (§14.4)."""
    assert content_range(ByteRange(0, 1), 5) == b"bytes 0-0/5"
    assert unsatisfied_range(5) == b"bytes */5"


def test_multipart_framing() -> None:
    """Each part has its type and range, the last boundary closes, and the length is known beforehand (§14.6)."""
    body = b"0123456789"
    pieces = multipart_pieces([ByteRange(0, 2), ByteRange(8, 10)], 10, b"text/plain", b"XYZ")
    sent = b"".join(body[p.start : p.stop] if isinstance(p, ByteRange) else p for p in pieces)
    assert sent == (
        b"\r\n--XYZ\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01"
        b"\r\n--XYZ\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89"
        b"\r\n--XYZ--\r\n"
    )
    assert length_of(pieces) == len(sent)
    assert multipart_type(b"XYZ") == b"multipart/byteranges; boundary=XYZ"


@given(st.text(alphabet="0123456789-, ", max_size=60), st.integers(1, 2000))
def test_any_field_gives_ranges_worth_sending(specs: str, size: int) -> None:
    """Ranges lie inside, are not empty, not close to each other, few, and together no more than the file."""
    ranges = parse_range(b"bytes=" + specs.encode(), size)
    if ranges is None:
        return
    assert len(ranges) <= MAX_PARTS
    for each in ranges:
        assert 0 <= each.start < each.stop <= size
    in_order = sorted(ranges, key=lambda each: each.start)
    for one, other in itertools.pairwise(in_order):
        assert other.start - one.stop > PART_OVERHEAD


@given(st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 1500)), min_size=1, max_size=MAX_PARTS))
def test_joining_loses_nothing(pairs: list[tuple[int, int]]) -> None:
    """Every byte that was asked for and exists is sent."""
    size = 1000
    ordered = [(min(pair), max(pair)) for pair in pairs]
    ranges = parse_range(b"bytes=" + b",".join(b"%d-%d" % pair for pair in ordered), size)
    assert ranges is not None
    wanted = {byte for first, last in ordered for byte in range(first, min(last + 1, size))}
    assert wanted <= {byte for each in ranges for byte in range(each.start, each.stop)}
