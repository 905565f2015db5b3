"""What all workers of a machine share of the cache: the memory for its index and claims, made before the first fork, and the
directory.

Without a disk the directory lies in memory (tmpfs) and belongs to this run of edge: its name cannot be guessed, the last worker
that ends removes it, and what a killed run has left is removed by the next one. Each worker holds a shared lock on a file in it;
a directory whose lock can be had alone has no worker.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import Final

from edge.config.schema import CacheStorage
from edge.handlers.cache.claims import Claims
from edge.handlers.cache.index import CacheIndex
from edge.handlers.cache.store import CacheStore
from edge.telemetry.logs import get_logger

SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108  # the names below it cannot be guessed, and their owner is looked at

PREFIX: Final = "edge-cache-"

_LOCK: Final = "lock"

YOUNG: Final = 60.0
"""Seconds in which a directory without a worker may be one whose first worker is just about to lock it."""

log = get_logger("cache")


class SharedCache:
    """Make it before forking; `open` is for workers."""

    def __init__(self, memory: str = SHARED_MEMORY) -> None:
        self.index: Final = CacheIndex()
        self.claims: Final = Claims(self.index)
        usable = os.access(memory, os.W_OK | os.X_OK)
        self._base = Path(memory if usable else tempfile.gettempdir())
        self._own = self._base / f"{PREFIX}{secrets.token_hex(16)}"

    def __repr__(self) -> str:
        return f"<SharedCache {self.index!r}>"

    def open(self, settings: CacheStorage) -> OpenCache:
        """The store, for one worker, who MUST close it. A directory that cannot be used is a store that keeps nothing."""
        if settings.disk:
            return OpenCache(CacheStore(settings.disk, settings.disk_size, self.index), None, -1)
        store = CacheStore(str(self._own), settings.memory, self.index)
        try:
            _remove_abandoned(self._base)
            return OpenCache(store, self._own, _enter(self._own))
        except OSError as error:
            store.complain(error)
            return OpenCache(store, None, -1)


class OpenCache:
    """A store that a worker uses, and its hold on the directory."""

    def __init__(self, store: CacheStore, directory: Path | None, lock: int) -> None:
        self.store: Final = store
        self._directory = directory
        self._lock = lock

    def close(self) -> None:
        """The worker ends. The last one takes the directory in memory along."""
        if self._lock < 0:
            return
        if self._directory is not None and _is_alone(self._lock):
            shutil.rmtree(self._directory, ignore_errors=True)
        os.close(self._lock)
        self._lock = -1


def _enter(directory: Path) -> int:
    """A lock on a directory that is ours, made if need be. Raises: OSError."""
    with contextlib.suppress(FileExistsError):
        directory.mkdir(0o700)
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise PermissionError(f"{directory} is not ours")
    lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_SH)
    return lock


def _is_alone(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_abandoned(base: Path) -> None:
    """What runs of edge have left that were killed."""
    for directory in base.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            status = directory.lstat()
            if status.st_uid == os.geteuid() and status.st_mtime < time.time() - YOUNG:
                _remove_if_abandoned(directory)


def _remove_if_abandoned(directory: Path) -> None:
    lock = os.open(directory / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if _is_alone(lock):
            log.info("cache of a run that was killed removed", directory=str(directory))
            shutil.rmtree(directory, ignore_errors=True)
    finally:
        os.close(lock)
