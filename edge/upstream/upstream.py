"""A named set of origins: which one gets the next request, and a connection to it.

Origins take turns; one that refused lately comes last. Richer balancing has its place in `_in_turn` and nowhere else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from edge.config.address import UpstreamAddress
from edge.net.deadlines import Deadlines
from edge.upstream.connect import Claimer, ConnectAttempt
from edge.upstream.connection import OriginConnection
from edge.upstream.origin import Origin
from edge.upstream.resolver import Resolver


class Upstream:
    """The origins of one site, in one worker."""

    def __init__(
        self, addresses: Sequence[UpstreamAddress], deadlines: Deadlines, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.origins = [Origin(address) for address in addresses]
        self._deadlines = deadlines
        self._loop = loop
        self._resolver = Resolver(loop)
        self._turn = 0

    def __repr__(self) -> str:
        return f"<Upstream {self.origins!r}>"

    def claim_idle(self) -> OriginConnection | None:
        """A pooled connection to the origin whose turn it is, or None: then call `connect`."""
        origins = self.origins
        now = self._loop.time()
        if len(origins) == 1:
            return origins[0].pool.claim(now)
        connection = self._in_turn(now)[0].pool.claim(now)
        if connection:
            self._turn += 1
        return connection

    def connect(self, claimer: Claimer) -> ConnectAttempt:
        """Open a new connection. `claimer` hears the outcome, possibly before this returns; `cancel` gives up."""
        attempt = ConnectAttempt(self._in_turn(self._loop.time()), claimer, self._resolver, self._deadlines, self._loop)
        self._turn += 1
        attempt.start()
        return attempt

    def _in_turn(self, now: float) -> list[Origin]:
        """All origins, the one whose turn it is first, those that refused lately last."""
        first = self._turn % len(self.origins)
        turn = self.origins[first:] + self.origins[:first]
        return sorted(turn, key=lambda origin: origin.is_avoided(now))

    def close(self) -> None:
        """Close idle connections and give up look-ups. Busy connections end with their exchanges."""
        self._resolver.close()
        for origin in self.origins:
            for connection in origin.pool.drain():
                connection.close()
