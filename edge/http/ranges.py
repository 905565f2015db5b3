"""Byte ranges: reading the Range field, and the framing of several parts (RFC 9110 §14).

A server may ignore Range, and this one does so whenever the field is not plainly right: another unit, bad syntax, or more
parts than a reader can want. Then the whole representation goes out with 200. Ranges that overlap, or lie so close that the
framing between them would cost more than the gap, become one part: no request is answered with more bytes than the file has
(but for that framing), which is what floods of overlapping ranges are after.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from msgspec import Struct

MAX_PARTS: Final = 10
"""Most ranges in one request; Range is ignored beyond. PDF readers ask for a handful; Apache stops at 200, nginx never."""

PART_OVERHEAD: Final = 80
"""Bytes of framing that a part costs at least (RFC 9110 §15.3.7.2 names the figure); smaller gaps are sent along."""

_SPEC = re.compile(rb"([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18})").fullmatch
"""18 digits: an exabyte, and never a costly integer."""


class ByteRange(Struct, frozen=True, gc=False):
    """The bytes from `start` up to, not including, `stop`; never empty."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


Piece: TypeAlias = bytes | ByteRange
"""Part of a body to send: literal bytes, or bytes of the file."""


def parse_range(value: bytes, size: int) -> list[ByteRange] | None:
    """What a Range field asks for of a representation with `size` bytes, in the order asked, close ranges joined.

    None: ignore the field. An empty list: nothing of it exists, answer 416.

    Source: RFC 9110 §14.1.2, §14.2.
    """
    unit, _, specs = value.partition(b"=")
    if unit.strip(b"\t ").lower() != b"bytes" or size == 0:
        return None
    members = [member for part in specs.split(b",", 2 * MAX_PARTS) if (member := part.strip(b"\t "))]
    if not 0 < len(members) <= MAX_PARTS:
        return None
    ranges: list[ByteRange] = []
    for member in members:
        bounds = _bounds(member, size)
        if bounds is None:
            return None
        start, stop = bounds
        if start < stop:
            ranges.append(ByteRange(start, stop))
    return _coalesce(ranges)


def _bounds(member: bytes, size: int) -> tuple[int, int] | None:
    """Start and stop of one range-spec, clipped to `size` (start >= stop: unsatisfiable), or None for bad syntax."""
    match = _SPEC(member)
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        return max(0, size - int(suffix)), size
    start = int(first)
    if not last:
        return start, size
    if int(last) < start:
        return None
    return start, min(int(last) + 1, size)


def _coalesce(ranges: list[ByteRange]) -> list[ByteRange]:
    """Join what overlaps or nearly touches; a joined range takes the place of the earliest member asked for."""
    kept: list[ByteRange] = []
    for new in ranges:
        close = [old for old in kept if _is_close(old, new)]
        if not close:
            kept.append(new)
            continue
        place = kept.index(close[0])
        joined = ByteRange(min(r.start for r in (*close, new)), max(r.stop for r in (*close, new)))
        kept = [joined if i == place else old for i, old in enumerate(kept) if i == place or old not in close]
    return kept


def _is_close(one: ByteRange, other: ByteRange) -> bool:
    return one.start <= other.stop + PART_OVERHEAD and other.start <= one.stop + PART_OVERHEAD


def content_range(part: ByteRange, size: int) -> bytes:
    """The Content-Range value of a 206 or of one of its parts (RFC 9110 §14.4)."""
    return b"bytes %d-%d/%d" % (part.start, part.stop - 1, size)


def unsatisfied_range(size: int) -> bytes:
    """The Content-Range value of a 416."""
    return b"bytes */%d" % size


def multipart_type(boundary: bytes) -> bytes:
    """The Content-Type of a multipart answer."""
    return b"multipart/byteranges; boundary=" + boundary


def multipart_pieces(parts: list[ByteRange], size: int, media_type: bytes, boundary: bytes) -> list[Piece]:
    """The body of a multipart answer. `boundary` must not occur in the representation: make it from random bytes.

    Source: RFC 9110 §14.6, RFC 2046 §5.1.
    """
    pieces: list[Piece] = []
    for part in parts:
        lines = (b"", b"--" + boundary, b"Content-Type: " + media_type, b"Content-Range: " + content_range(part, size))
        pieces += (b"\r\n".join(lines) + b"\r\n\r\n", part)
    pieces.append(b"\r\n--" + boundary + b"--\r\n")
    return pieces


def length_of(pieces: list[Piece]) -> int:
    """How many bytes the pieces are together."""
    return sum(map(len, pieces))
