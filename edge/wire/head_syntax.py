"""What request and response heads have in common: where they end, and their field lines (RFC 9112 §2.1, §5).

The engines cut a head out of the stream, everything up to and including the first CRLF CRLF, and llhttp gets these bytes and
not one more, from a parser made for them alone. That closes its traps at once: no trailer can reach `on_header` behind
`on_headers_complete`, nothing behind an Upgrade is skipped or parsed as another message, the body of an answer to HEAD is
never guessed, and no verdict is acted on before it is final.
"""

from __future__ import annotations

import re
from typing import Final

import httptools

from edge.errors import EdgeError
from edge.http.message import Field
from edge.http.validation import judge_field

END_OF_HEAD: Final = b"\r\n\r\n"

find_broken_line_end: Final = re.compile(rb"[^\r]\n|\r[^\n]").search
"""A bare LF or CR. Looked for in heads without an end: who ends lines with LF would otherwise wait for the deadline."""

Aside = dict[bytes, list[bytes]]
"""Values by name, in the order of their lines."""


_MEMO_ENTRIES: Final = 4096
_MEMO_LINE: Final = 256
"""Remembered lines and the longest of them, name and value together: about two megabytes in a worker."""


class BrokenHead(EdgeError):
    """llhttp does not accept the head."""


class _Lines:
    """What llhttp calls back: the field lines of one head."""

    __slots__ = ("complete", "lines")

    # httptools asks for every callback by name; an attribute that is None is found faster than one that is missing.
    on_message_begin: None = None
    on_url: None = None
    on_status: None = None
    on_body: None = None
    on_message_complete: None = None
    on_chunk_header: None = None
    on_chunk_complete: None = None

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


class FieldSorter:
    """Makes valid fields of field lines, and sets those apart that an engine uses up itself.

    Lines repeat from head to head, so what a line became is remembered, in a bounded memo.
    """

    __slots__ = ("_drop_underscores", "_known", "_set_aside")

    def __init__(self, set_aside: frozenset[bytes], *, drop_underscores: bool) -> None:
        self._set_aside = set_aside
        self._drop_underscores = drop_underscores
        self._known: dict[Field, Field] = {}

    def sort(self, lines: list[Field]) -> tuple[list[Field], Aside]:
        """Valid fields in their order, names in lower case, and the values of those that are set aside.

        Raises: RequestRefused 400 for a name or value that no head may hold.
        """
        kept: list[Field] = []
        aside: Aside = {}
        known = self._known
        for line in lines:
            field = known.get(line)
            if field is None:
                self._sort_new(line, kept, aside)
            else:
                kept.append(field)
        return kept, aside

    def _sort_new(self, line: Field, kept: list[Field], aside: Aside) -> None:
        name, value = line[0].lower(), line[1].strip(b" \t")
        if name in self._set_aside:
            aside.setdefault(name, []).append(value)
        elif not (self._drop_underscores and b"_" in name):
            judge_field(name, value)
            kept.append((name, value))
            self._remember(line, (name, value))

    def _remember(self, line: Field, field: Field) -> None:
        if len(line[0]) + len(line[1]) <= _MEMO_LINE:
            if len(self._known) >= _MEMO_ENTRIES:
                self._known.clear()
            self._known[line] = field
