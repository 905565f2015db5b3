"""Purges of the response cache: a file in the storage directory, written by `edge cache purge`, watched by the keeper.

A purge is not a search through the cache but a rule that outlives it: nothing that was asked for before its moment and fits its
pattern is used again. So it costs the same for one page or all of them, holds in every worker from the message on, and holds for
workers that start later and for what lies on a disk while edge is stopped. When all workers of a running edge have been told, the
keeper writes that down, and the command, which waits for it, can say so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from edge.config.purge import Purge, add_purge
from edge.errors import StorageError
from edge.storage.filesystem import FileSystemStorage
from edge.telemetry.logs import get_logger

KEY: Final = "cache-purges.json"

TOLD_KEY: Final = "cache-purges-told.json"
"""The moment of the last purge that workers know."""

PATIENCE: Final = 3.0
"""Seconds until a running edge has followed: the keeper looks once a second."""

LOOK: Final = 0.05

log = get_logger("process")

_decoder = msgspec.json.Decoder(tuple[Purge, ...])


def purge_cache(storage: str, site: str, pattern: str, patience: float = PATIENCE) -> bool:
    """Add a purge of this moment. Returns whether a running edge has followed; one that is started later will.

    Raises: StorageError.
    """
    directory = FileSystemStorage(Path(storage))
    moment = time.time()
    with directory.lock(KEY) as is_ours:
        if not is_ours:
            raise StorageError("another purge is being written at this moment; try again")
        purges = add_purge(read_purges(storage), Purge(moment, site, pattern))
        directory.store(KEY, msgspec.json.encode(purges))
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if (directory.load(TOLD_KEY) or b"") == _moment(purges):
            return True
        time.sleep(LOOK)
    return False


def read_purges(storage: str) -> tuple[Purge, ...]:
    """All purges that hold. Raises: StorageError, also for what is no list of them."""
    value = FileSystemStorage(Path(storage)).load(KEY)
    if value is None:
        return ()
    try:
        return _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StorageError(f"{KEY} in the storage is damaged; delete it, and purge again") from error


def _moment(purges: tuple[Purge, ...]) -> bytes:
    return msgspec.json.encode(max((purge.at for purge in purges), default=0.0))


class PurgeWatch:
    """Tells `changed` about purges: at the first look that finds some, then whenever there is another one."""

    def __init__(self, storage: Callable[[], str], changed: Callable[[tuple[Purge, ...]], None]) -> None:
        self._storage = storage
        self._changed = changed
        self._purges: tuple[Purge, ...] = ()
        self._problem = ""

    def look(self) -> None:
        """Look once. What cannot be read forgets everything: that costs time, the opposite would cost truth."""
        try:
            purges = read_purges(self._storage())
            self._problem = ""
        except StorageError as error:
            if str(error) == self._problem:
                return
            self._problem = str(error)
            log.error("purges of the cache unknown, all of it is forgotten", problem=self._problem)
            purges = (Purge(time.time()),)
        if purges != self._purges:
            self._purges = purges
            if purges:
                log.info("response cache purged", pattern=purges[-1].pattern or "*", site=purges[-1].site)
            self._changed(purges)
            self._confirm(purges)

    def _confirm(self, purges: tuple[Purge, ...]) -> None:
        try:
            FileSystemStorage(Path(self._storage())).store(TOLD_KEY, _moment(purges))
        except StorageError as error:
            log.warning("purge done, but not confirmed", problem=str(error))
