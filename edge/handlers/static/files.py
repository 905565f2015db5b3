"""The root of a mount, the files opened in it, and what a file looked like when it was opened.

A name is looked up anew each time and the root itself may be replaced as a whole (a deploy moves a symbolic link, or removes
and rebuilds the directory), so the root is known by its path and its open descriptor is only kept while both agree.
"""

from __future__ import annotations

import errno
import os
import stat
from types import TracebackType
from typing import Final

from msgspec import Struct

from edge.errors import EdgeError, HTTPError
from edge.handlers.static.beneath import open_beneath
from edge.telemetry.logs import get_logger

log = get_logger("static")

_ABSENT: Final = frozenset(
    (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.EINVAL)
)
"""There is no such file, or nothing that could be one (ENXIO: a socket)."""

_DENIED: Final = {
    errno.EXDEV: "its link leaves the directory",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
}
"""Answered like a missing file; the operator gets a hint why."""

_OVERLOADS: Final = {
    errno.EMFILE: "out-of-descriptors",
    errno.ENFILE: "out-of-descriptors",
    errno.ENOMEM: "out-of-memory",
}

_MAX_HINTS: Final = 20
"""Hints per root: names behind a link are for visitors to choose, and the log is not theirs to fill."""


class BrokenRead(EdgeError):
    """A file did not yield the bytes it promised: it was cut short or written to, or the disk failed."""


class Snapshot(Struct, frozen=True, gc=False):
    """What tells one state of a file from another. Times in nanoseconds.

    The time of the last status change catches what keeps the other values: rsync and tar set modification times back.
    """

    device: int
    inode: int
    size: int
    modified: int
    changed: int

    @property
    def modified_seconds(self) -> int:
        """Whole POSIX seconds, as HTTP dates have them."""
        return self.modified // 1_000_000_000


def snapshot_of(status: os.stat_result) -> Snapshot:
    """The snapshot in what stat(2) says."""
    return Snapshot(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class OpenedFile:
    """A regular file, open for reading. Close it, or use it as a context manager."""

    __slots__ = ("descriptor", "snapshot")

    def __init__(self, descriptor: int, snapshot: Snapshot) -> None:
        self.descriptor = descriptor
        self.snapshot = snapshot

    def read(self, start: int, count: int) -> bytes:
        """Exactly `count` bytes from `start` on, of the state that `snapshot` describes.

        A file that was replaced or removed can still be read here to its end, its old state being whole.

        Raises: BrokenRead.
        """
        try:
            data = os.pread(self.descriptor, count, start)
            now = os.fstat(self.descriptor)
        except OSError as exc:
            raise BrokenRead(f"a static file cannot be read: {exc.strerror}") from exc
        if len(data) != count or (now.st_size, now.st_mtime_ns) != (self.snapshot.size, self.snapshot.modified):
            raise BrokenRead("a static file changed while it was read")
        return data

    def close(self) -> None:
        """Give the descriptor back; harmless when done twice."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __enter__(self) -> OpenedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Root:
    """A directory of which regular files can be opened, and nothing outside it."""

    def __init__(self, directory: str) -> None:
        self._path = os.fsencode(directory)
        self._descriptor = -1
        self._identity: tuple[int, int] | None = None
        self._is_missing = False
        self._hinted: set[bytes] = set()

    def open_file(self, name: bytes) -> OpenedFile | None:
        """The regular file called `name` (relative, plain segments), or None when visitors cannot have one of this name.

        Raises: HTTPError 503 when descriptors or memory have run out or the disk fails.
        """
        if not self._follow() or not name:
            return None
        try:
            descriptor = open_beneath(self._descriptor, self._path, name)
        except OSError as exc:
            self._explain(name, exc)
            return None
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            return None
        return OpenedFile(descriptor, snapshot_of(status))

    def close(self) -> None:
        """Give the descriptor back; the next `open_file` opens the directory again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._identity = -1, None

    def _follow(self) -> bool:
        """Have the directory open that the path names now; False when there is none."""
        try:
            status = os.stat(self._path)  # noqa: PTH116 - bytes, as the disk has them; Path would decode
            if (status.st_dev, status.st_ino) != self._identity:
                self.close()
                self._descriptor = os.open(self._path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
                self._identity = status.st_dev, status.st_ino
        except OSError as exc:
            if not self._is_missing:
                log.warning("static directory missing", directory=os.fsdecode(self._path), cause=exc.strerror)
            self._is_missing = True
            return False
        self._is_missing = False
        return True

    def _explain(self, name: bytes, error: OSError) -> None:
        """Return if visitors should see 404; raise 503 if the file may well be there."""
        if error.errno in _DENIED:
            if name not in self._hinted and len(self._hinted) < _MAX_HINTS:
                self._hinted.add(name)
                directory, cause = os.fsdecode(self._path), _DENIED[error.errno]
                log.warning("static file not served", directory=directory, name=repr(name.decode()), cause=cause)
        elif error.errno not in _ABSENT:
            raise HTTPError(503, _OVERLOADS.get(error.errno or 0, "disk-error"), retry_after=1) from error
