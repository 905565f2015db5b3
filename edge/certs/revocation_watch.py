"""Are our own certificates on their CA's revocation list? One that is gets replaced at once.

Most CAs say so through renewal information (RFC 9773), hours apart and only some of them; the list is what browsers go by. Large
CAs divide theirs: certificates that share a list are looked up together, and a list is fetched again when the next one is
due, at the latest after `LONGEST`. What cannot be fetched or believed says nothing, and is tried again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

from edge.certs.certificate_task import CertificateTask
from edge.certs.ledger import Entry, Event, Ledger
from edge.certs.messages import utc
from edge.certs.renewal import HOUR, MINUTE
from edge.certs.revocation_list import RevocationList, Source, read_list, source_of
from edge.errors import CertificateError
from edge.telemetry.logs import get_logger

LOOK = 10 * MINUTE
"""Seconds between two looks at which lists are due."""

SHORTEST, LONGEST = HOUR, 6 * HOUR
"""Seconds until a list is fetched again, whatever it says: lists are valid for a week, and made anew every few hours."""

RETRY = HOUR
"""After a list that could not be had."""

log = get_logger("certs")

Fetch: TypeAlias = Callable[[str], Awaitable[bytes]]
"""The body at a URL. Raises: CertificateError."""


class RevocationWatch:
    """Looks after the certificates of `tasks()`. `run` never ends by itself."""

    def __init__(
        self,
        tasks: Callable[[], Iterable[CertificateTask]],
        fetch: Fetch,
        ledger: Ledger,
        wall_clock: Callable[[], float],
    ) -> None:
        self._tasks = tasks
        self._fetch = fetch
        self._ledger = ledger
        self._now = wall_clock
        self._due: dict[str, float] = {}
        """When the list at a URL is fetched again."""
        self._sources: dict[str, Source | None] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                await self.look()
            except Exception:
                log.exception("revocation watch failed; it goes on")

    async def look(self) -> None:
        """Fetch the lists that are due, one after the other, and distrust what they name."""
        groups = await self._groups()
        self._due = {source.url: self._due.get(source.url, 0.0) for source in groups}
        for source, tasks in groups.items():
            if self._due[source.url] <= self._now():
                await self._look_at(source, tasks)

    async def _groups(self) -> dict[Source, list[CertificateTask]]:
        """The certificates in service that are not known to be revoked, by their list. Each chain is read once."""
        groups: dict[Source, list[CertificateTask]] = defaultdict(list)
        before, self._sources = self._sources, {}
        for task in list(self._tasks()):
            live = task.record.live
            if live is None or task.record.state.revoked == live.leaf.serial:
                continue
            serial = live.leaf.serial
            if serial not in before:
                await asyncio.sleep(0)  # there may be thousands, and requests to CAs are under way
            source = self._sources[serial] = before[serial] if serial in before else _source(live.chain)
            if source is not None:
                groups[source].append(task)
        return groups

    async def _look_at(self, source: Source, tasks: list[CertificateTask]) -> None:
        serials = [task.record.leaf.serial for task in tasks if task.record.leaf]
        try:
            body = await self._fetch(source.url)
            now = self._now()
            found = read_list(body, source, serials, now)
        except CertificateError as exc:
            again = self._due[source.url] = self._now() + RETRY
            log.info("revocation list not available", url=source.url, cause=str(exc), next_try=utc(again))
            return
        self._due[source.url] = min(max(found.next_update, now + SHORTEST), now + LONGEST)
        self._distrust(found, tasks)

    def _distrust(self, found: RevocationList, tasks: list[CertificateTask]) -> None:
        for task in tasks:
            live = task.record.live
            if live is None or live.leaf.serial not in found.revoked:
                continue  # it may have been replaced while the list was fetched
            serial, reason = live.leaf.serial, found.revoked[live.leaf.serial]
            self._ledger.add(
                Entry(
                    self._now(),
                    Event.REVOKED,
                    live.issuer,
                    live.leaf.names,
                    cause=f"by the CA: {reason}",
                    serial=serial,
                )
            )
            log.error(
                "certificate revoked by its CA",
                name=task.spec.name,
                ca=live.issuer,
                serial=serial,
                cause=reason,
                check="the CA's messages about it; edge replaces the certificate now",
            )
            task.distrust(serial)


def _source(chain: bytes) -> Source | None:
    try:
        return source_of(chain)
    except CertificateError:
        return None
