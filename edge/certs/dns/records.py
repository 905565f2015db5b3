"""Values put into DNS for as long as the CA looks: where they belong, seen by all servers, taken away in the end.

    alias followed → value added → every authoritative server shows it → (the CA looks) → value removed

A record that is not seen in time stays: the next attempt resumes the order, needs the same value, and finds it there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from edge.certs.dns.delegation import follow
from edge.certs.dns.ledger import RecordLedger
from edge.certs.dns.lookup import Lookup, NameServer
from edge.certs.dns.propagation import wait_until_shown
from edge.certs.dns.provider import DNSProvider, TXTRecord
from edge.certs.issuer import IssueFailed
from edge.config.endpoint import Endpoint
from edge.telemetry.logs import get_logger

log = get_logger("certs")


class DNSRecords:
    """The records of all attempts. Changes of the zone come one at a time: many a service loses one of two at once."""

    def __init__(
        self,
        provider: DNSProvider,
        lookup: Lookup,
        ledger: RecordLedger,
        *,
        timeout: float,
        servers: tuple[Endpoint, ...] = (),
        wall_clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._provider = provider
        self._lookup = lookup
        self._ledger = ledger
        self._timeout = timeout
        self._servers = [NameServer(str(each), each) for each in servers]
        self._wall_clock = wall_clock
        self._sleep = sleep
        self._turn = asyncio.Lock()
        self._users: dict[TXTRecord, int] = {}

    @asynccontextmanager
    async def presented(self, record: TXTRecord) -> AsyncIterator[None]:
        """Inside, every authoritative server shows the value. Raises: IssueFailed when that cannot be reached."""
        target = TXTRecord(await follow(record.name, self._lookup.alias), record.value)
        await self._place(target)
        await self._wait(target)
        self._users[target] = self._users.get(target, 0) + 1
        try:
            yield
        finally:
            self._users[target] -= 1
            if not self._users[target]:
                del self._users[target]
                await self._remove(target)

    async def _place(self, record: TXTRecord) -> None:
        async with self._turn:
            for stale in self._ledger.stale(self._wall_clock()):
                await self._take_away(stale)
            self._ledger.add(record, self._wall_clock())
            await self._provider.present(record)
            log.info("DNS record made", record=record.name)

    async def _wait(self, record: TXTRecord) -> None:
        if not self._timeout:
            return
        servers = self._servers or await self._lookup.name_servers(await self._lookup.zone_of(record.name))
        await wait_until_shown(self._lookup, record, servers, self._timeout, self._sleep)

    async def _remove(self, record: TXTRecord) -> None:
        async with self._turn:
            await self._take_away(record)

    async def _take_away(self, record: TXTRecord) -> None:
        """A record that cannot be removed harms nobody and stays in the ledger."""
        try:
            await self._provider.clean_up(record)
        except IssueFailed as exc:
            log.warning("DNS record not removed; it is tried again in a day", record=record.name, cause=exc.detail)
            self._ledger.add(record, self._wall_clock())
            return
        self._ledger.remove(record)
