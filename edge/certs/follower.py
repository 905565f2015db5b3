"""Looks, again and again, for what other processes have changed in the storage.

The look is the truth, and cheap: one small question, each second of a server, each half minute of a file system. A storage that
is away is said once and asked again; what is in service stays in service.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from edge.errors import StorageError
from edge.storage.contract import Storage
from edge.telemetry.logs import get_logger

log = get_logger("certs")


class Follower:
    """Awaits `changed` with the areas that have changed; see `Storage.changes`. When it raises StorageError it is told again."""

    def __init__(self, storage: Storage, changed: Callable[[frozenset[str]], Awaitable[None]]) -> None:
        self._storage = storage
        self._changed = changed
        self._mark: object = None
        self._away_since: float | None = None

    def begin(self) -> None:
        """Changes count from now on. When the storage is away everything will have changed once it is back."""
        with suppress(StorageError):
            self._mark = self._storage.changes(None).mark

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._storage.follow_every)
            try:
                await self.look()
            except Exception:
                log.exception("looking for changes failed; it goes on")

    async def look(self) -> None:
        """Look once. Trouble with the storage is logged, no more."""
        try:
            changes = self._storage.changes(self._mark)
            if changes.areas:
                await self._changed(changes.areas)
        except StorageError as exc:
            self._note_away(str(exc))
            return
        self._note_back()
        self._mark = changes.mark

    def _note_away(self, cause: str) -> None:
        if self._away_since is None:
            self._away_since = asyncio.get_running_loop().time()
            log.error(
                "storage is away",
                cause=cause,
                serving="what is in service; nothing is ordered meanwhile",
                check="the server and the way to it; edge asks again by itself",
            )

    def _note_back(self) -> None:
        if self._away_since is not None:
            log.info("storage is back", seconds=round(asyncio.get_running_loop().time() - self._away_since))
            self._away_since = None
