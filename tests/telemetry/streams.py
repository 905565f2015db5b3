"""Streams that say what they are, or fail on request."""

from __future__ import annotations

import io
from typing import NoReturn


class Terminal(io.StringIO):
    """A stream with a person behind it."""

    def isatty(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a StringIO has none, a terminal does
        return "utf-8"


class AsciiTerminal(Terminal):
    """A terminal that shows no more than ASCII."""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # as above
        return "ascii"


class BrokenStream(Terminal):
    """A terminal that has gone."""

    def write(self, _text: str) -> NoReturn:
        raise BrokenPipeError


EXCHANGE = ("203.0.113.7", b"GET", b"example.com", b"/a", b"2", 200, 1234, 0.008, -1.0, "0" * 32)
"""One finished exchange, as `AccessLog.record` takes it."""
