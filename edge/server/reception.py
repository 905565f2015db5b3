"""Who is let in, when, and who has to leave for it.

Connections are limited per client and in all; the longest idle one gives way to a newcomer, and where none is idle the newcomer
is turned away. A client gets only so many handshakes in a turn of the event loop, the dearest thing that a stranger has for
nothing, and one with many connections is read from in turns. A client whose connections keep being ended by us waits
until new ones are let in: coming back is no way around the budgets of a connection.

Each worker counts for itself. Peers that are trusted to speak for others have no limit of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from edge.http.networks import Networks, client_key
from edge.server.client import Client, Guest, longest_idle
from edge.telemetry.logs import get_logger

MAX_REMEMBERED: Final = 4096
"""Clients without connections whose misdeeds are remembered; beyond, the one that left first is forgotten."""

LOOK_AGAIN: Final = 0.25
"""Seconds between two looks at those who wait and at crowds. Of a client's line one is let in at each, so that not many come in
before the first misbehaves."""

WARN_INTERVAL: Final = 10.0
"""Seconds between two log lines of one kind: who attacks must not fill the log."""

log = get_logger("server")


class Reception:
    """The clients of one worker."""

    def __init__(
        self,
        max_connections: int,
        max_per_client: int,
        trusted: Networks,
        clock: Callable[[], float],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.deadline = 0.0
        self._max_connections = max_connections
        self._max_per_client = max_per_client
        self._trusted = trusted
        self._clock = clock
        self._loop = loop
        self._clients: dict[bytes, Client] = {}
        self._waited_for: set[Client] = set()  # clients with a line
        self._gone: dict[bytes, Client] = {}  # clients without connections that are remembered
        self._burdened: set[Client] = set()
        self._warned: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Reception {len(self._clients)} clients, {len(self._waited_for)} with a line>"

    # -- coming and going ---------------------------------------------------------------------------------------------

    def client_of(self, address: str) -> Client:
        """The client at a numeric address."""
        key = client_key(address)
        return self._clients.get(key) or Client(key, address, address in self._trusted, self._clients, self._loop)

    def make_room(self, client: Client, everybody: Collection[Guest]) -> bool:
        """Whether one more connection may come, after idle ones have given way where that was needed."""
        if len(client.connections) >= self._max_per_client and not client.is_trusted:
            return self._clear("client holds too many connections", client, client.connections)
        if len(everybody) >= self._max_connections:
            return self._clear("too many connections", client, everybody)
        return True

    def _clear(self, event: str, client: Client, connections: Collection[Guest]) -> bool:
        leaving = longest_idle(connections)
        self._warn(event, client=client.address, connections=len(connections), closed=len(leaving))
        for connection in leaving:
            connection.give_way()
        return bool(leaving)

    def arrived(self, client: Client, connection: Guest) -> None:
        """A connection that has room: greet it, or let it wait."""
        if not client.connections:
            self._clients[client.key] = client
            self._gone.pop(client.key, None)
        client.connections.add(connection)
        now = self._clock()
        if client.line or client.is_shunned(now):
            client.line[connection] = None
            self._waited_for.add(client)
        else:
            connection.begin()

    def left(self, client: Client, connection: Guest) -> None:
        """It is gone, at whatever stage."""
        client.leave(connection)
        if not client.connections:
            self._forget(client)

    def _forget(self, client: Client) -> None:
        now = self._clock()
        if client.is_forgotten(now):
            self._clients.pop(client.key, None)
            return
        self._gone[client.key] = client
        if len(self._gone) > MAX_REMEMBERED:
            first = next(iter(self._gone))
            del self._gone[first], self._clients[first]

    def misbehaved(self, client: Client, connection: Guest, reason: str) -> None:
        """A connection is being ended for a flood or for broken frames; if that happens too often, its idle ones end too."""
        now = self._clock()
        client.misbehave(now)
        if client.is_shunned(now):
            self._warn("client misbehaves", client=client.address, reason=reason)
            for idle in longest_idle(client.connections - client.line.keys() - {connection}):
                idle.give_way()

    # -- memory -------------------------------------------------------------------------------------------------------

    def relieve_soon(self, client: Client) -> None:
        """The client seems to hold too much: look at it when this turn's work is done."""
        if not self._burdened:
            self._loop.call_soon(self._relieve)
        self._burdened.add(client)

    def _relieve(self) -> None:
        burdened, self._burdened = self._burdened, set()
        for client in burdened:
            ending = client.heaviest()
            if ending:
                self._warn("client holds too much memory", client=client.address, closed=len(ending))
            for connection in ending:
                connection.abort()

    def _weigh_crowds(self) -> None:
        """What adds up from little on many connections is found by looking now and then."""
        crowds = [client for client in self._clients.values() if client.reads is not None]
        if crowds:
            self._burdened.update(crowds)
            self._relieve()

    # -- those who wait -----------------------------------------------------------------------------------------------

    def deadline_passed(self, now: float) -> None:
        """Look who may begin, who holds too much, and forget who is forgiven."""
        for client in list(self._waited_for):
            if client.line and not client.is_shunned(now):
                first = next(iter(client.line))
                del client.line[first]
                first.begin()
            if not client.line:
                self._waited_for.discard(client)
        for client in [each for each in self._gone.values() if each.is_forgotten(now)]:
            del self._gone[client.key], self._clients[client.key]
        self._weigh_crowds()
        self.deadline = now + LOOK_AGAIN

    def _warn(self, event: str, **fields: object) -> None:
        now = self._clock()
        if now >= self._warned.get(event, 0.0) + WARN_INTERVAL:
            self._warned[event] = now
            log.warning(event, **fields)
