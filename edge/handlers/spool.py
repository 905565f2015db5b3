"""A request body kept until it can be sent: in memory while it is small, then in a file that has no name.

Writing to the file waits for the kernel's page cache, not for the disk; pieces are small enough that other connections do not
notice. The file vanishes with its descriptor, whatever happens to the process.
"""

from __future__ import annotations

import tempfile
from typing import IO, Final

from edge.errors import HTTPError
from edge.http.exchange import Buffer
from edge.http.limits import MAX_SPOOLED_IN_MEMORY, SPOOL_MEMORY
from edge.telemetry.logs import get_logger

PIECE: Final = 64 * 1024
"""Bytes of one read from the file: one write to a socket."""

log = get_logger("spool")


class Spool:
    """Append everything, then read it in pieces, as often as needed. Whoever makes one MUST close it."""

    in_memory = 0
    """Bytes that all spools of this process keep in memory."""

    def __init__(self, directory: str | None = None, memory: int = SPOOL_MEMORY) -> None:
        self._directory = directory
        self._memory = memory
        self._kept = (
            bytearray()
        )  # not a list of pieces: a body that comes two bytes at a time would weigh thirty times as much
        self._file: IO[bytes] | None = None
        self.size = 0
        self.read = 0
        """Bytes that `read_piece` has returned since the last `rewind`."""

    def __repr__(self) -> str:
        return f"<Spool {self.read}/{self.size} {'file' if self._file else 'memory'}>"

    def append(self, data: bytes) -> None:
        """Keep more. Raises: HTTPError 503 when the file cannot take it (a full disk)."""
        self.size += len(data)
        try:
            if self._file is None and (self.size > self._memory or Spool.in_memory > MAX_SPOOLED_IN_MEMORY):
                self._open()
            if self._file is None:
                self._kept += data
                Spool.in_memory += len(data)
            else:
                self._write(self._file, data)
        except OSError as error:
            raise _unavailable(self._directory, error) from error

    def _open(self) -> None:
        self._file = tempfile.TemporaryFile(dir=self._directory, prefix="edge-body-", buffering=0)  # noqa: SIM115 — outlives this call
        self._write(self._file, self._kept)
        self._forget_kept()

    def _forget_kept(self) -> None:
        Spool.in_memory -= len(self._kept)
        self._kept = bytearray()

    @staticmethod
    def _write(file: IO[bytes], data: Buffer) -> None:
        """All of it: the last write that fits on a disk may be a short one, and only the next one fails."""
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]

    def rewind(self) -> None:
        """Read from the beginning."""
        self.read = 0
        if self._file:
            self._file.seek(0)

    def read_piece(self) -> bytes:
        """The next part; b"" when all has been read. Raises: HTTPError 503 when the file cannot be read."""
        if self._file is None:
            data = bytes(self._kept) if self.read == 0 else b""
        else:
            try:
                data = self._file.read(PIECE)
            except OSError as error:
                raise _unavailable(self._directory, error) from error
        self.read += len(data)
        return data

    def close(self) -> None:
        """Forget everything."""
        self._forget_kept()
        if self._file:
            self._file.close()
            self._file = None


def _unavailable(directory: str | None, error: OSError) -> HTTPError:
    # Not `gettempdir`: where no directory is usable (a full disk, no descriptors) it raises.
    log.error("request body cannot be kept", directory=directory or tempfile.tempdir, cause=error.strerror)
    return HTTPError(503, "spool-unavailable", retry_after=30)
