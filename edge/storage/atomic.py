"""The steps of which durable changes are made. Each raises OSError; none knows of keys.

A change is built under a temporary name beside its final one, and becomes visible by one rename. Temporary names begin
with `~`.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TEMPORARY = "~"
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def temporary_name(path: Path) -> Path:
    """A name beside `path` that nobody else uses."""
    return path.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}")


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A name to build a new value under; whatever still has that name after a failure is removed."""
    temporary = temporary_name(path)
    try:
        yield temporary
    except BaseException:
        with suppress(OSError):
            remove(temporary)
        raise


def write_file(path: Path, value: bytes) -> None:
    """Create a file, 0600 and on disk when this returns; it must not exist."""
    descriptor = os.open(path, _CREATE, 0o600)
    try:
        os.fchmod(descriptor, 0o600)  # the umask may have taken bits away
        remaining = memoryview(value)
        while remaining:
            remaining = remaining[os.write(descriptor, remaining) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """A rename is on disk only when the directory that holds the name is."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directories(path: Path) -> None:
    """Make a directory and those above it as far as they are missing, each on disk when this returns."""
    if path.is_dir():
        return
    make_directories(path.parent)
    with suppress(FileExistsError):  # another process was faster
        make_directory(path)
    sync_directory(path.parent)


def make_directory(path: Path) -> None:
    """Make a directory that only we can look into; it must not exist."""
    path.mkdir(0o700)
    path.chmod(0o700)  # the umask may have taken bits away


def remove(path: Path) -> None:
    """Remove a file, a link (not its target) or a tree; no error when there is none."""
    with suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def sweep(root: Path, before: float) -> None:
    """Remove temporary names below `root` that were last touched before this POSIX time."""
    for directory, subdirectories, files in os.walk(root):
        for name in [*subdirectories, *files]:
            if name.startswith(_TEMPORARY):
                with suppress(FileNotFoundError):  # another process has just put it in its place
                    _remove_old(Path(directory, name), before)


def _remove_old(path: Path, before: float) -> None:
    if path.lstat().st_ctime < before:
        remove(path)
