"""What this host sees of itself."""

from __future__ import annotations

import asyncio

from edge.certs.reachability import observe
from tests.certs.acme.fakes import FakePublisher
from tests.pebble.server import free_ports


def test_what_is_seen_from_here_is_told() -> None:
    """Ourselves, somebody else, nobody; nothing is left published."""

    async def main() -> None:
        publisher = FakePublisher()
        http, tls, closed = free_ports(3)
        async with publisher.listening(http, tls):
            assert await observe("127.0.0.1", publisher, http) == "seen from here: 127.0.0.1 leads to this edge"
            assert "leads to this edge" in await observe("localhost", publisher, http)
            publisher.silent = True
            assert await observe("127.0.0.1", publisher, http) == "seen from here: 127.0.0.1 leads to another server"
        assert await observe("127.0.0.1", publisher, closed) == (
            f"seen from here: 127.0.0.1 refuses connections on port {closed}"
        )
        assert "no address" in await observe("nowhere.invalid", publisher, http)
        assert publisher.given == []

    asyncio.run(main())


def test_where_there_is_nothing_to_say() -> None:
    """Wildcards have no address, without plain HTTP nothing can be fetched, without workers nobody answers."""

    async def main() -> None:
        assert await observe("*.test", FakePublisher()) == ""
        assert await observe("127.0.0.1", FakePublisher("tls-alpn-01")) == ""
        publisher = FakePublisher()
        publisher.failing = True
        assert await observe("127.0.0.1", publisher) == ""

    asyncio.run(main())
