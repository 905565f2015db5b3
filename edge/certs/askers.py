"""Those who wait for the outcome of the next attempt at one certificate."""

from __future__ import annotations

import asyncio

from edge.certs.issuer import IssueFailed
from edge.certs.store import Stored


class Askers:
    """A list of futures that are settled together."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[Stored]] = []

    async def wait(self) -> Stored:
        """The certificate that the next attempt brings. Raises: IssueFailed."""
        outcome: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        self._waiting.append(outcome)
        return await outcome

    def settle(self, outcome: Stored | IssueFailed) -> None:
        """An attempt has ended like this."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if future.done():
                continue  # who asked has gone away
            if isinstance(outcome, IssueFailed):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
