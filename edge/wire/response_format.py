"""Response heads as HTTP/1.1 bytes (RFC 9112 §4, §5). Pure, but for what a head remembers of itself.

The bytes of a head fall into a part that is the head's alone and stays the same, and a part that changes: the date, the
framing that its body needs, and whether the connection goes on. The first is made once and kept in `ResponseHead.serialised`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from msgspec import Struct

from edge.http.message import Fields, ResponseHead

_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("ascii") for status in HTTPStatus
}

_MEMO_KEY: Final = "http/1.1"


class HeadLines(Struct, frozen=True, gc=False):
    """`lines` ends with `date: `; behind it belong `date` (None: the present one), CRLF, more fields and the empty line."""

    lines: bytes
    date: bytes | None


def format_status_line(status: int) -> bytes:
    """The first line of a response; the reason phrase is empty for a status without a name."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def format_fields(fields: Fields) -> bytes:
    """Field lines, each with its CRLF."""
    return b"\r\n".join([b": ".join(field) for field in fields] + [b""])


def format_interim(status: int, fields: Fields) -> bytes:
    """A whole 1xx head."""
    return format_status_line(status) + format_fields(fields) + b"\r\n"


def head_lines(head: ResponseHead) -> HeadLines:
    """The part of `head` that never changes, made when it is first asked for."""
    kept = head.serialised
    if kept is None:
        kept = head.serialised = {}
    known = kept.get(_MEMO_KEY)
    if isinstance(known, HeadLines):
        return known
    made = kept[_MEMO_KEY] = _make_lines(head)
    return made


def _make_lines(head: ResponseHead) -> HeadLines:
    lines = [b": ".join(field) for field in head.fields if field[0] != b"date"]
    date = head.field(b"date") if len(lines) < len(head.fields) else None
    if head.content_length is not None and head.status != 204:  # RFC 9110 §8.6: never with 204
        lines.append(b"content-length: %d" % head.content_length)
    lines.append(b"date: ")
    return HeadLines(format_status_line(head.status) + b"\r\n".join(lines), date)
