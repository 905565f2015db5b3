"""One client as this worker knows it: which connections it holds, which of them wait to be greeted, how it has behaved.

What counts as one client is `edge.http.networks.client_key`: an IPv4 address, or an IPv6 /64.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterable, Sized
from typing import Final, Protocol

from edge.http.limits import (
    CROWD,
    HANDSHAKES_PER_TURN,
    MAX_HELD_PER_CLIENT,
    MISDEED_INTERVAL,
    MISDEEDS_FORGIVEN,
    READS_PER_TURN_OF_A_CROWD,
)
from edge.net.deadlines import NEVER
from edge.net.share import Share

AT_ONCE: Final = 32
"""Connections ended in one go when room is needed, so that the search for them is not made for each newcomer. nginx 32."""

TOO_MUCH: Final = (MISDEEDS_FORGIVEN - 0.5) * MISDEED_INTERVAL
"""Seconds of debt; a half, because many small floats do not add up to their sum."""


class Guest(Protocol):
    """A connection, as far as it is counted here."""

    @property
    def idle_since(self) -> float:
        """Monotonic time since when nothing has been in flight; NEVER while something is."""

    def begin(self) -> None:
        """Start the handshake."""

    def give_way(self) -> None:
        """End; called on idle connections only."""

    def weigh(self) -> int:
        """Bytes of memory that are held for it because its client does not go on; corrects `Client.held`."""

    def abort(self) -> None:
        """End, whatever is in flight."""


class Client:
    """`now` is monotonic time in seconds."""

    __slots__ = ("_debt_until", "_reads", "address", "connections", "handshakes", "held", "is_trusted", "key", "line")

    def __init__(
        self, key: bytes, address: str, is_trusted: bool, rivals: Sized, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.key = key
        self.address = address
        self.is_trusted = is_trusted
        """Speaks for others: no limit of a single client holds."""
        self.connections: set[Guest] = set()
        self.line: dict[Guest, None] = {}
        """Connections that wait for their handshake to begin, oldest first."""
        self.held = 0
        """Bytes that it makes us keep, as its connections have last said."""
        self.handshakes = None if is_trusted else Share(HANDSHAKES_PER_TURN, loop)
        self._reads = Share(READS_PER_TURN_OF_A_CROWD, loop, rivals)
        self._debt_until = 0.0

    def __repr__(self) -> str:
        return f"<Client {self.address} {len(self.connections)} connections, {len(self.line)} wait>"

    @property
    def reads(self) -> Share | None:
        """What the next connection is read from within, once it is open."""
        return self._reads if len(self.connections) > CROWD and not self.is_trusted else None

    def leave(self, connection: Guest) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        self.line.pop(connection, None)

    def heaviest(self) -> list[Guest]:
        """Connections that must end so that the client weighs little enough, as few as possible."""
        weights = sorted(
            ((connection.weigh(), order, connection) for order, connection in enumerate(self.connections)), reverse=True
        )
        excess = 0 if self.is_trusted else sum(weight for weight, _, _ in weights) - MAX_HELD_PER_CLIENT
        ending = []
        for weight, _, connection in weights:
            if excess <= 0:
                break
            excess -= weight
            ending.append(connection)
        return ending

    # -- misdeeds: a token bucket, stored as the moment at which it would be full again ----------------------------------

    def misbehave(self, now: float) -> None:
        """One of its connections had to be ended."""
        most = now + (MISDEEDS_FORGIVEN + 1) * MISDEED_INTERVAL
        self._debt_until = min(max(self._debt_until, now) + MISDEED_INTERVAL, most)

    def is_shunned(self, now: float) -> bool:
        """Whether that happened so often that new connections wait."""
        return self._debt_until - now > TOO_MUCH and not self.is_trusted

    def is_forgotten(self, now: float) -> bool:
        """Whether nothing is left to be remembered."""
        return not self.connections and self._debt_until <= now


def longest_idle(connections: Iterable[Guest]) -> list[Guest]:
    """Those that give way when room is needed, at most AT_ONCE; none while all are busy."""
    since = [(connection.idle_since, order, connection) for order, connection in enumerate(connections)]
    return [connection for moment, _, connection in heapq.nsmallest(AT_ONCE, since) if moment < NEVER]
