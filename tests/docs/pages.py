"""The project's Markdown pages, as tests read them: fenced blocks, the commands in them, headings, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent.parent

PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "pebble/*.md")
    for path in REPOSITORY.glob(pattern)
    if not path.is_relative_to(REPOSITORY / ".venv")
)

_FENCE = re.compile(r"^(```|~~~)(\w*)\s*$")
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\[[^\]\[]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$")


def name_of(page: Path) -> str:
    """The page's path in the repository."""
    return str(page.relative_to(REPOSITORY))


class Block(NamedTuple):
    """A fenced block: its language, its lines, and the line of the page on which it begins (from 1)."""

    page: Path
    line: int
    language: str
    lines: list[str]


class Command(NamedTuple):
    """One command line that a reader is told to type."""

    page: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{name_of(self.page)}:{self.line}: {self.text}"


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    opened: Block | None = None
    for number, line in enumerate(page.read_text().splitlines(), start=1):
        fence = _FENCE.match(line.strip())
        if fence is None:
            if opened:
                opened.lines.append(line)
        elif opened is None:
            opened = Block(page, number, fence[2], [])
        else:
            yield opened
            opened = None
    assert opened is None, f"{name_of(page)}:{opened and opened.line}: a fence is not closed"


def commands(page: Path) -> Iterator[Command]:
    """What a page tells its reader to type: every line of `sh` blocks, lines with a prompt of `console` blocks."""
    for block in blocks(page):
        if block.language not in ("console", "sh"):
            continue
        for number, line in _joined(block):
            if block.language == "console":
                if line.startswith("$ "):
                    yield Command(page, number, line.removeprefix("$ "))
            elif line and not line.startswith("#"):
                yield Command(page, number, line)


def _joined(block: Block) -> Iterator[tuple[int, str]]:
    """The lines with backslash continuations put together, each with its number on the page."""
    kept = ""
    start = 0
    for number, line in enumerate(block.lines, start=block.line + 1):
        start = start if kept else number
        kept += line
        if kept.endswith("\\"):
            kept = kept[:-1]
            continue
        yield start, kept
        kept = ""


def prose(page: Path) -> str:
    """The page without fenced blocks."""
    kept, inside = [], False
    for line in page.read_text().splitlines():
        if _FENCE.match(line.strip()):
            inside = not inside
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def links(page: Path) -> list[str]:
    """Targets of the links in a page's prose."""
    return _LINK.findall(_CODE.sub("", prose(page)))


def anchors(page: Path) -> set[str]:
    """The fragments that a page's headings give, as GitHub makes them."""
    headings = [match[1] for line in prose(page).splitlines() if (match := _HEADING.match(line))]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code_spans(page: Path) -> list[str]:
    """What stands in backticks in a page's prose."""
    return [span.strip("`") for span in _CODE.findall(prose(page))]
