"""What request and response heads have in common: where they end, and their field lines (RFC 9112 §2.1, §5).

The engines cut a head out of the stream, everything up to and including the first CRLF CRLF, and llhttp gets these bytes and
not one more, from a parser made for them alone. That closes its traps at once: no trailer can reach `on_header` behind
`on_headers_complete`, nothing behind an Upgrade is skipped or parsed as another message, the body of an answer to HEAD is
never guessed, and no verdict is acted on before it is final.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import httptools

from edge.errors import EdgeError
from edge.http.message import Field
from edge.http.validation import check_field

END_OF_HEAD: Final = b"\r\n\r\n"

find_broken_line_end: Final = re.compile(rb"[^\r]\n|\r[^\n]").search
"""A bare LF or CR. Looked for in heads without an end: who ends lines with LF would otherwise wait for the deadline."""

Aside = dict[bytes, list[bytes]]
"""Values by name, in the order of their lines."""


class BrokenHead(EdgeError):
    """llhttp does not accept the head."""


class _Lines:
    """What llhttp calls back: the field lines of one head."""

    __slots__ = ("complete", "lines")

    def __init__(self) -> None:
        self.lines: list[Field] = []
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.lines.append((name, value))

    def on_headers_complete(self) -> None:
        self.complete = True


def split_head(parser: type, head: bytes) -> tuple[list[Field], bool]:
    """The field lines as sent, and whether llhttp would now leave HTTP for what `Upgrade` names.

    `parser` is httptools' HttpRequestParser or HttpResponseParser.

    Raises: BrokenHead.
    """
    sink, upgrade = _Lines(), False
    try:
        parser(sink).feed_data(head)
    except httptools.HttpParserUpgrade:
        upgrade = True
    except httptools.HttpParserError as exc:
        raise BrokenHead("a head with bad syntax") from exc
    if not sink.complete:
        raise BrokenHead("a head without an end")
    return sink.lines, upgrade


def sort_fields(lines: Iterable[Field], set_aside: frozenset[bytes]) -> tuple[list[Field], Aside]:
    """Valid fields in their order, names in lower case, and the values of those whose names are in `set_aside`.

    Raises: RequestRefused 400 for a name or value that no `Request` may hold.
    """
    kept: list[Field] = []
    aside: Aside = {}
    for raw_name, raw_value in lines:
        name, value = raw_name.lower(), raw_value.strip(b" \t")
        if name in set_aside:
            aside.setdefault(name, []).append(value)
        else:
            check_field(name, value)
            kept.append((name, value))
    return kept, aside
