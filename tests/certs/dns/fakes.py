"""A provider in memory, and a lookup without network."""

from __future__ import annotations

import asyncio

from edge.certs.dns.lookup import Lookup, NameServer
from edge.certs.dns.provider import TXTRecord, dns_failure
from edge.config.endpoint import Endpoint

SERVERS = [
    NameServer(name, Endpoint(address)) for name, address in (("ns1.net", "192.0.2.1"), ("ns2.net", "192.0.2.2"))
]


class MemoryZone(Lookup):
    """Implements `DNSProvider`, and answers as two servers; `views` scripts what each next look at a server shows.

    A view is True (what is in the zone), False (nothing) or None (no answer); without one the zone is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[TXTRecord] = []
        self.calls: list[str] = []
        self.aliases: dict[str, str] = {}
        self.views: dict[str, list[bool | None]] = {}
        self.failing = False
        self.at_once = self.most_at_once = 0

    async def present(self, record: TXTRecord) -> None:
        await self._call("present")
        if record not in self.records:
            self.records.append(record)

    async def clean_up(self, record: TXTRecord) -> None:
        await self._call("clean_up")
        if record in self.records:
            self.records.remove(record)

    async def _call(self, what: str) -> None:
        self.calls.append(what)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if self.failing:
            raise dns_failure("the service is down")

    async def alias(self, name: str) -> str:
        return self.aliases.get(name, "")

    async def zone_of(self, name: str) -> str:
        return name.partition(".")[2]

    async def name_servers(self, zone: str) -> list[NameServer]:
        return SERVERS

    async def values(self, name: str, server: NameServer) -> frozenset[str] | None:
        await asyncio.sleep(0)  # so that a deadline can pass
        views = self.views.get(server.name, [])
        view = views.pop(0) if len(views) > 1 else views[0] if views else True
        if view is None:
            return None
        return frozenset(record.value for record in self.records if record.name == name) if view else frozenset()
