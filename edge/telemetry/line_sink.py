"""Lines on their way to a destination: gathered in memory, written with few system calls, never waited for, never raised
about. A reader that stopped must not stop a worker: what it leaves behind waits up to a bound, then lines are dropped and
counted, with one complaint a minute."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from edge.telemetry.destination import Destination
from edge.telemetry.logs import get_logger

FLUSH_SIZE: Final = 64 * 1024
"""Bytes gathered before a flush that no tick asked for: some 250 lines, a few milliseconds of a busy worker."""

MAX_WAITING: Final = 1024 * 1024
"""Bytes kept for a reader that is slow. More is dropped: memory belongs to visitors."""

COMPLAINT_INTERVAL: Final = 60.0
"""Seconds between two complaints about dropped lines."""

log = get_logger("access_log")


class LineSink:
    """A buffer in front of what `open_destination` opens. Raises: OSError when it cannot be opened at first."""

    def __init__(
        self, open_destination: Callable[[], Destination], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._open = open_destination
        self._destination = open_destination()
        self._monotonic = monotonic
        self._lines: list[bytes] = []
        self._size = 0
        self._flush_at = FLUSH_SIZE
        self._unreported = 0
        self._quiet_until = 0.0
        self.dropped_lines = 0

    @property
    def is_terminal(self) -> bool:
        """Whether a person may be reading."""
        return self._destination.is_terminal

    def add(self, line: bytes) -> None:
        """Take one line, with its line feed. Hot path."""
        self._lines.append(line)
        self._size += len(line)
        if self._size >= self._flush_at:
            self.flush()

    def flush(self) -> None:
        """Write what is gathered, as far as it can be written without waiting."""
        lines, self._lines = self._lines, []
        try:
            self._write(lines)
        except BlockingIOError:
            self._keep(lines)
        except OSError as error:
            self._drop(lines, error.strerror or "cannot be written")
        self._size = sum(map(len, self._lines))
        self._flush_at = self._size + FLUSH_SIZE  # not at every line while a reader is slow

    def _write(self, lines: list[bytes]) -> None:
        """Write groups of whole lines, and take them out of `lines` once they are written."""
        while lines:
            count = _group(lines, self._destination.largest_write)
            self._destination.write_nowait(b"".join(lines[:count]))
            del lines[:count]

    def _keep(self, lines: list[bytes]) -> None:
        """Try these again at the next flush, unless too much waits."""
        if sum(map(len, lines)) > MAX_WAITING:
            self._drop(lines, "the reader is too slow")
        else:
            self._lines = lines

    def _drop(self, lines: list[bytes], reason: str) -> None:
        self.dropped_lines += len(lines)
        self._unreported += len(lines)
        now = self._monotonic()
        if now >= self._quiet_until:
            log.warning("access log lines dropped", lines=self._unreported, reason=reason)
            self._unreported = 0
            self._quiet_until = now + COMPLAINT_INTERVAL

    def reopen(self) -> None:
        """Open the destination anew: the file has been rotated. When that fails, the old one stays in use."""
        self.flush()
        try:
            fresh = self._open()
        except OSError as error:
            log.error("access log cannot be reopened", reason=error.strerror)
            return
        self._destination.close()
        self._destination = fresh

    def close(self) -> None:
        """Write what can be written and let the destination go."""
        self.flush()
        if self._lines:
            self._drop(self._lines, "the reader was too slow at the end")
        self._destination.close()


def _group(lines: list[bytes], limit: int) -> int:
    """How many lines from the first on fit into one write of `limit` bytes; at least one."""
    size = 0
    for count, line in enumerate(lines):
        size += len(line)
        if size > limit and count:
            return count
    return len(lines)
