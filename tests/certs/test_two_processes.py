"""Two managers on one storage: an old keeper that still stops while the new one starts, or two nodes."""

from __future__ import annotations

import asyncio

import pytest

from edge.certs.housekeeping import retire_unused
from edge.certs.status import read_certificates
from tests.certs.virtual_time import run
from tests.certs.world import DAY, MINUTE, World, config_for


@pytest.mark.usefixtures("coarse")
def test_the_second_waits_and_takes_what_the_first_obtained() -> None:
    """One order between them, and both serve it."""

    async def main() -> None:
        first, second = World(), World()
        second.storage, second.ca, second.issuer = first.storage, first.ca, first.issuer
        second.new_process()
        first.issuer.seconds = 30.0
        await first.start()
        await second.start(MINUTE)
        assert first.publisher.serving["example.com"] == second.publisher.serving["example.com"]
        assert (first.kind(), first.orders) == ("acme", 1)
        await asyncio.sleep(61 * DAY)
        await first.manager.stop()
        await second.manager.stop()
        assert first.publisher.serving["example.com"] == second.publisher.serving["example.com"]
        assert first.orders == 2

    run(main())


def test_unused_certificates_are_kept_a_month_after_their_end() -> None:
    """A name that comes back in time finds its certificate; later the directory is gone."""

    async def main() -> None:
        world = await World().start(5)
        world.manager.reconfigure(config_for("other.example.com"))
        await asyncio.sleep(5)
        await world.manager.stop()
        wanted = {row.directory for row in read_certificates(world.storage, world.clock()) if row.in_use}
        now = world.clock()
        retire_unused(world.storage, wanted, now + 119 * DAY)
        assert len(world.storage.list("certs")) == 2
        retire_unused(world.storage, wanted, now + 121 * DAY)
        assert world.storage.list("certs") == sorted(wanted)

    run(main())
