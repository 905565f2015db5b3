"""Sizes as people write them: `10M` is 10 × 1024 × 1024 bytes, as in every web server's configuration."""

from __future__ import annotations

import re
from typing import Final

UNITS: Final = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}

MAX_SIZE: Final = 1024**5
"""A pebibyte: far above any body, far below where integers of other programs overflow."""

_SIZE = re.compile(r"([0-9]{1,18}) ?([KMGT]?)(?:i?B)?", re.IGNORECASE | re.ASCII).fullmatch


def parse_size(value: int | str) -> int:
    """Bytes, from an integer or from text like `512K`, `10M`, `2 GiB`.

    Raises: ValueError with one sentence, for anything else, zero and negative sizes included.
    """
    size = value if isinstance(value, int) else _parse_text(value)
    if not 0 < size <= MAX_SIZE:
        raise ValueError(f"{value!r}: a size lies between 1 byte and {format_size(MAX_SIZE)}")
    return size


def _parse_text(text: str) -> int:
    match = _SIZE(text.strip())
    if not match:
        raise ValueError(f"{text!r} is no size; write bytes, or a number with K, M or G, like 10M")
    return int(match.group(1)) * UNITS[match.group(2).upper()]


def format_size(size: int) -> str:
    """The shortest exact form that `parse_size` reads back: `10M`, `1500`."""
    for unit in ("T", "G", "M", "K"):
        if size and size % UNITS[unit] == 0:
            return f"{size // UNITS[unit]}{unit}"
    return str(size)
