"""The process dies at any step of an order; the next one pays for nothing twice and loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from tests.certs.fakes import Crash
from tests.certs.virtual_time import run
from tests.certs.world import DAY, HOUR, MINUTE, World

MOST_STEPS = 30
"""More changes of storage than one issuance makes."""


def crash_at(step: int) -> Callable[[str, str], None]:
    """A hook for `MemoryStorage` that lets `step` calls pass and then kills, for ever."""
    left = step

    def check(_operation: str, _key: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Crash

    return check


def arm(world: World, side: str, step: int) -> None:
    """Crash before or after the `step`-th change from now on; reads do not count."""
    crash = crash_at(step)
    reads = ("load", "list", "resolve", "lock")
    setattr(world.storage, side, lambda operation, key: None if operation in reads else crash(operation, key))


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_crash_at_any_step_of_a_first_order_costs_no_second_order(side: str) -> None:
    """One order, one certificate, served after the restart; whether the change was written or not."""

    async def main(step: int) -> None:
        world = World()
        arm(world, side, step)
        with contextlib.suppress(Crash):
            await world.start(HOUR)
        await world.restart(2 * HOUR)
        assert world.kind() == "acme", step
        assert (world.orders, len(world.ca.signed_at)) == (1, 1), step
        await world.restart(HOUR)
        await world.manager.stop()
        assert (world.orders, len(world.ca.signed_at)) == (1, 1), step
        assert not world.storage.quarantined, step

    for step in range(MOST_STEPS):
        run(main(step))


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_crash_at_any_step_of_a_renewal_keeps_a_valid_certificate(side: str) -> None:
    """The old certificate is there until the new one is complete, and the renewal happens once."""

    async def main(step: int) -> None:
        world = await World(lifetime=6 * DAY).start(MINUTE)
        await asyncio.sleep(2.9 * DAY)
        assert world.orders == 1
        arm(world, side, step)
        await asyncio.sleep(0.2 * DAY)
        await world.restart()
        served = world.publisher.serving["example.com"]
        assert served.kind == "acme", step
        assert served.not_after > world.clock(), step
        await asyncio.sleep(DAY)
        await world.manager.stop()
        assert (world.orders, len(world.ca.signed_at)) == (2, 2), step

    for step in range(MOST_STEPS):
        run(main(step))
