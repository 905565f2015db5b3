"""A manager in its fake world, in virtual time."""

from __future__ import annotations

import asyncio
import random

from edge.certs.local_ca import LocalIssuer
from edge.certs.manager import Manager
from edge.certs.revocation_watch import Fetch
from edge.config.schema import Acme, Config, Site
from tests.certs.fakes import FakeCA, MemoryStorage, RecordingPublisher, ScriptedIssuer
from tests.certs.virtual_time import WallClock

DAY, HOUR, MINUTE = 86400.0, 3600.0, 60.0


def config_for(*names: str, **changes: object) -> Config:
    """One site with these names."""
    return Config(sites=(Site(names=names, **changes),), storage="/nowhere")  # type: ignore[arg-type]  # fields by name


class World:
    """Clock, CA and storage survive a restart of the manager; publisher and manager do not."""

    def __init__(self, *names: str, lifetime: float = 90 * DAY) -> None:
        self.clock = WallClock()
        self.storage = MemoryStorage()
        self.ca = FakeCA(self.clock, lifetime)
        self.issuer = ScriptedIssuer(self.ca)
        self.fallback: list[ScriptedIssuer] = []
        self.config = config_for(*(names or ("example.com",)))
        self.issuers_made: list[Acme] = []
        self.fetch_list: Fetch | None = None
        self.new_process()

    def new_process(self) -> None:
        """Another manager on the same storage; nothing runs yet."""
        self.publisher = RecordingPublisher(self.clock)
        self.manager = Manager(
            self.config,
            self.storage,
            self.publisher,
            public=self._make_issuer,
            local=LocalIssuer(self.storage, self.clock),
            fetch_list=self.fetch_list,
            wall_clock=self.clock,
            rng=random.Random(7),
        )

    def _make_issuer(self, acme: Acme) -> list[ScriptedIssuer]:
        self.issuers_made.append(acme)
        return [self.issuer, *self.fallback]

    async def start(self, seconds: float = 0.0) -> World:
        """Start the manager and let so much time go by."""
        await self.manager.start()
        if seconds:
            await asyncio.sleep(seconds)
        return self

    async def restart(self, seconds: float = 0.0) -> None:
        """Stop the manager, start another one on what is on disk."""
        await self.manager.stop()
        self.storage = self.storage.survivor()
        self.new_process()
        await self.start(seconds)

    @property
    def orders(self) -> int:
        """Orders that the CA has seen."""
        return len(self.ca.orders)

    def kind(self, name: str = "example.com") -> str:
        """What is served for a name: acme, local, own, placeholder; "" for nothing."""
        served = self.publisher.serving.get(name)
        return served.kind if served else ""
