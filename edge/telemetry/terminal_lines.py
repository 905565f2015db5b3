"""Log lines for a person at a terminal, in the shape of `announce`: during the start one aligned block, later with the time.

    ✓ certificate example.com by Let's Encrypt, valid until 2027-02-20, renews itself around 2027-01-21
12:04:31  ! upstream    upstream is down  upstream=127.0.0.1:8000
                        refused
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final, TextIO

from structlog import DropEvent

from edge.telemetry.announce import format_entry
from edge.telemetry.phrases import phrase_for
from edge.telemetry.terminal import DIM, GREEN, RED, YELLOW, marks_for, paint, wants_colour

START: Final = 60.0
"""Seconds in which lines belong to the start and need no time of day."""


class TerminalLines:
    """structlog renderer. Made with each configuration, before its processes are forked: they agree on when the start was."""

    def __init__(
        self,
        stream: TextIO,
        environ: Mapping[str, str],
        *,
        wall_clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        marks = marks_for(stream)
        is_coloured = wants_colour(stream, environ)
        self._wall_clock = wall_clock
        self._monotonic = monotonic
        self._began = monotonic()
        signs = {
            "debug": (marks.dot, DIM),
            "info": (marks.done, GREEN),
            "progress": (marks.progress, DIM),
            "warning": (marks.warning, YELLOW),
            "error": (marks.failure, RED),
            "critical": (marks.failure, RED),
        }
        self._signs = {name: paint(mark, colour) if is_coloured else mark for name, (mark, colour) in signs.items()}

    def __call__(self, _logger: Any, _method: str, fields: MutableMapping[str, Any]) -> str:
        level, room, event = (str(fields.pop(key, "")) for key in ("level", "room", "event"))
        traceback = fields.pop("traceback", "")
        phrase = phrase_for(room, event, fields)
        if phrase is None:
            raise DropEvent
        sign = self._signs.get("progress" if phrase.is_progress else level, "")
        entry = format_entry(sign, phrase.topic, phrase.text, phrase.details, phrase.fixes, self._moment())
        return f"{entry}\n{traceback}" if traceback else entry

    def _moment(self) -> str:
        if self._monotonic() - self._began < START:
            return ""
        return time.strftime("%H:%M:%S", time.localtime(self._wall_clock()))
