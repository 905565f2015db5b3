"""Looks every minute whether somebody must hear of a certificate, and remembers over restarts what has been told: `notices.json`.

A notice counts as told when one way has taken it; the others are logged. While no way works, all are tried again later. The
memory is written after the sending: a crash in between tells twice, which is better than not at all.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import msgspec

from edge.certs.notices.due import Told, concerns
from edge.certs.notices.message import write_notice
from edge.certs.notices.sending import send
from edge.certs.renewal import MINUTE
from edge.certs.status import CertificateStatus
from edge.config.notify_schema import Notify
from edge.errors import StorageError
from edge.storage.contract import Storage
from edge.telemetry.logs import get_logger

KEY = "notices.json"
LOCK = "notices"

FIRST_LOOK = 2.0
"""Seconds after everything on disk has been loaded."""

INTERVAL = MINUTE

AGAIN_AFTER = 15 * MINUTE
"""Seconds until ways that have all failed are tried again."""

log = get_logger("certs")


class NoticeWatch:
    """Tells people about `statuses()`. `notify()` is the present configuration, None to tell nobody."""

    def __init__(
        self,
        storage: Storage,
        statuses: Callable[[], list[CertificateStatus]],
        notify: Callable[[], Notify | None],
        wall_clock: Callable[[], float],
    ) -> None:
        self._storage = storage
        self._statuses = statuses
        self._notify = notify
        self._now = wall_clock
        self._told: dict[str, Told] | None = None

    async def run(self) -> None:
        """Until cancelled."""
        pause = FIRST_LOOK
        while True:
            await asyncio.sleep(pause)
            try:
                delivered = await self.look()
            except Exception:
                log.exception("notices failed; they go on")
                delivered = False
            pause = INTERVAL if delivered else AGAIN_AFTER

    async def look(self) -> bool:
        """Look once, tell what is due; False when nobody could be told."""
        notify = self._notify()
        if notify is None:
            return True
        try:
            with self._storage.lock(LOCK) as got:  # several nodes see the same certificates
                return await self._tell(notify) if got else True
        except StorageError as exc:
            log.debug("notices without the storage", cause=str(exc))
            return await self._tell(notify)

    async def _tell(self, notify: Notify) -> bool:
        now = self._now()
        found, memory = concerns(self._statuses(), self._load(), now)
        if found:
            outcomes = await send(notify, write_notice(found, socket.gethostname(), now))
            for outcome in outcomes:
                if outcome.problem:
                    log.error("notice not sent", way=outcome.way, cause=outcome.problem, check="edge certs test-notify")
            sent = [outcome.way for outcome in outcomes if not outcome.problem]
            if not sent:
                return False
            log.info("notice sent", certificates=len(found), ways=", ".join(sent))
        self._remember(memory)
        return True

    def _load(self) -> dict[str, Told]:
        """What has been told, also by others; what we remember ourselves where the storage says nothing."""
        try:
            value = self._storage.load(KEY)
            if value is not None:
                return msgspec.json.decode(value, type=dict[str, Told])
        except StorageError:
            pass
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
            self._put_aside(str(exc))
        return self._told or {}

    def _put_aside(self, reason: str) -> None:
        log.warning("memory of notices put aside", cause=reason, check="see quarantine/")
        try:
            self._storage.quarantine(KEY, reason)
        except StorageError as exc:
            log.warning("damaged file could not be moved", path=KEY, cause=str(exc))

    def _remember(self, memory: dict[str, Told]) -> None:
        if memory == self._load():
            return
        self._told = memory
        try:
            self._storage.store(KEY, msgspec.json.encode(memory))
        except StorageError as exc:
            log.warning("notices not remembered on disk", cause=str(exc))
