"""What a stream can show: marks in Unicode or ASCII, colour or none. And text from elsewhere made safe to show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TextIO

from msgspec import Struct


class Marks(Struct, frozen=True):
    """One sign per state of a thing, one character each but the ASCII progress."""

    done: str = "✓"
    progress: str = "…"
    warning: str = "!"
    failure: str = "✗"
    live: str = "→"
    dot: str = "·"


UNICODE: Final = Marks()
ASCII: Final = Marks(done="+", progress=".", warning="!", failure="x", live="->", dot="-")

GREEN: Final = "32"
YELLOW: Final = "33"
RED: Final = "31"
DIM: Final = "2"

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
"""Control characters, and those that reorder or break lines (terminal escapes, log forging, Trojan Source)."""


def marks_for(stream: TextIO) -> Marks:
    """Unicode where the stream's encoding has it."""
    try:
        "".join(getattr(UNICODE, name) for name in Marks.__struct_fields__).encode(stream.encoding or "ascii")
    except (UnicodeError, LookupError):
        return ASCII
    return UNICODE


def is_terminal(stream: TextIO) -> bool:
    """Whether a person may be looking; False for a closed stream."""
    try:
        return stream.isatty()
    except ValueError:
        return False


def wants_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """A terminal that has colours, unless the operator set NO_COLOR (no-color.org)."""
    return is_terminal(stream) and not environ.get("NO_COLOR") and environ.get("TERM", "") != "dumb"


def paint(text: str, colour: str) -> str:
    """`text` with an SGR attribute around it; as it is when `colour` is ""."""
    return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


def printable(text: str) -> str:
    """`text` without control characters; what no encoding can write becomes an escape."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub("", text).encode("utf-8", "backslashreplace").decode()
