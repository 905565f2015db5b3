"""On which line of a TOML file a key stands. Best effort, for complaints only: the parser of the standard library does not
tell. A key inside a multi-line string may be mistaken for a real one; then a complaint names a wrong line, nothing worse."""

from __future__ import annotations

import re
from typing import TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]
"""`("site", 1, "upstream")`: the key `upstream` of the second `[[site]]`."""

_PART = r"""(?:"[^"\n]*"|'[^'\n]*'|[A-Za-z0-9_-]+)"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_TABLE = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]").match
_KEY = re.compile(rf"\s*({_DOTTED})\s*=").match
_PARTS = re.compile(_PART).findall


def locate_keys(text: str) -> dict[KeyPath, int]:
    """Line numbers, from 1, of all tables and keys that begin a line; of several equal ones the first."""
    lines: dict[KeyPath, int] = {}
    arrays: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _TABLE(line):
            table = _enter(header.group(1) == "[[", _split(header.group(2)), arrays)
            lines.setdefault(table, number)
        elif key := _KEY(line):
            lines.setdefault((*table, *_split(key.group(1))), number)
    return lines


def _enter(is_array: bool, parts: KeyPath, arrays: dict[KeyPath, int]) -> KeyPath:
    """The path of a table header, with the numbers of the array elements it lies in, opens or continues."""
    path: KeyPath = ()
    for part in parts[:-1]:
        path = (*path, part)
        if path in arrays:
            path = (*path, arrays[path])
    path = (*path, *parts[-1:])
    if is_array:
        arrays[path] = arrays.get(path, -1) + 1
    return (*path, arrays[path]) if path in arrays else path


def _split(dotted: str) -> KeyPath:
    return tuple(part.strip("\"'") for part in _PARTS(dotted))


def line_of(path: KeyPath, lines: dict[KeyPath, int]) -> int | None:
    """The line of `path`, or of the nearest table around it."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path)
