"""Durations as people write them: `30s`, `5m`, `12h`, `30d`, `1y`."""

from __future__ import annotations

import re
from typing import Final

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}

MAX_DURATION: Final = 10 * UNITS["y"]

_DURATION = re.compile(r"([0-9]{1,10}) ?([smhdwy])", re.ASCII).fullmatch


def parse_duration(text: str) -> int:
    """Seconds. Raises: ValueError with one sentence, for zero too."""
    match = _DURATION(text.strip())
    if not match:
        raise ValueError(f"{text[:40]!r} is no duration; write a number and a unit, like 30s, 5m, 12h, 30d or 1y")
    seconds = int(match.group(1)) * UNITS[match.group(2)]
    if not 0 < seconds <= MAX_DURATION:
        raise ValueError(f"{text!r}: a duration lies between 1s and 10y")
    return seconds
