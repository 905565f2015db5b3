"""What has come of a response and not gone yet, because its visitor is slower than its origin.

A worker of an application is busy until the last byte of its response is taken from it. So edge reads ahead: into memory,
then into a file without a name, which is written at its end while it is read from its beginning. Beyond the limits, and where
the disk is full, nothing is lost: the origin waits, as it would without reading ahead.
"""

from __future__ import annotations

import os
import tempfile
from collections import deque
from typing import Final

from edge.errors import HTTPError
from edge.http.exchange import Buffer
from edge.http.limits import MAX_READ_AHEAD, MAX_READ_AHEAD_FILES, MAX_SPOOLED_IN_MEMORY, READ_AHEAD_MEMORY
from edge.telemetry.logs import get_logger

PIECE: Final = 64 * 1024
"""Bytes of one read from the file: one write to a socket."""

log = get_logger("spool")


class ResponseSpool:
    """First in, first out. Whoever makes one MUST close it."""

    in_files = 0
    """Bytes that all spools of this process keep in files."""

    in_memory = 0
    """Likewise in memory."""

    def __init__(self, directory: str | None = None) -> None:
        self._directory = directory
        self._memory: deque[Buffer] = deque()
        self._in_memory = 0
        self._file = -1
        self._written = 0
        self._read = 0
        self._behind: deque[Buffer] = deque()  # what the file did not take
        self._is_full = False

    def __repr__(self) -> str:
        return f"<ResponseSpool {self._in_memory} in memory, {self._read}/{self._written} in a file>"

    @property
    def has_room(self) -> bool:
        """Whether the origin should be read further ahead."""
        return not self._is_full

    def append(self, data: Buffer) -> None:
        """Keep more; taken whole even without room."""
        if self._file < 0 and self._in_memory + len(data) <= self._memory_limit:
            self._memory.append(data)
            self._count(len(data))
        elif self._behind or not self._write(data):
            self._behind.append(data)
            self._is_full = True
        elif self._written >= MAX_READ_AHEAD or ResponseSpool.in_files >= MAX_READ_AHEAD_FILES:
            self._is_full = True

    @property
    def _memory_limit(self) -> int:
        return READ_AHEAD_MEMORY if ResponseSpool.in_memory < MAX_SPOOLED_IN_MEMORY else 0

    def _count(self, change: int) -> None:
        self._in_memory += change
        ResponseSpool.in_memory += change

    def _write(self, data: Buffer) -> bool:
        """Append to the file; False when it does not take all of it, in which case it counts for nothing."""
        try:
            if self._file < 0:
                self._file = _open_unnamed(self._directory)
            done = 0
            while done < len(data):
                done += os.pwrite(self._file, memoryview(data)[done:], self._written + done)
        except OSError as error:
            log.warning("responses cannot be read ahead", directory=self._directory, cause=error.strerror)
            return False
        self._written += len(data)
        ResponseSpool.in_files += len(data)
        return True

    def take(self) -> Buffer:
        """The next piece; b"" when all has been taken, and then there is room again. Raises: HTTPError 503."""
        if self._memory:
            data = self._memory.popleft()
            self._count(-len(data))
            return data
        if self._read < self._written:
            return self._read_file()
        if self._behind:
            return self._behind.popleft()
        self.close()
        return b""

    def _read_file(self) -> bytes:
        try:
            data = os.pread(self._file, min(PIECE, self._written - self._read), self._read)
        except OSError as error:
            raise HTTPError(503, "spool-unavailable") from error
        if not data:
            raise HTTPError(503, "spool-unavailable")
        self._read += len(data)
        return data

    def close(self) -> None:
        """Forget everything; it may be filled again."""
        if self._file >= 0:
            os.close(self._file)
            ResponseSpool.in_files -= self._written
        self._memory.clear()
        self._behind.clear()
        self._file = -1
        self._count(-self._in_memory)
        self._written = self._read = 0
        self._is_full = False


def _open_unnamed(directory: str | None) -> int:
    """A descriptor of a file that has no name, and so vanishes with it."""
    with tempfile.TemporaryFile(dir=directory, prefix="edge-response-", buffering=0) as file:
        return os.dup(file.fileno())
