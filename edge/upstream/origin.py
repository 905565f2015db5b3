"""One origin server as a worker knows it: where it is, its connections, and what is believed about its health."""

from __future__ import annotations

import asyncio
from typing import Final

from edge.config.address import H2C, UpstreamAddress
from edge.net.deadlines import Deadlines
from edge.net.socket_stream import SocketStream
from edge.telemetry.logs import get_logger
from edge.upstream.carrier import RequestCarrier
from edge.upstream.connection import OriginConnection
from edge.upstream.connection_share import ConnectionShare
from edge.upstream.health import OriginHealth
from edge.upstream.listeners import NewStream
from edge.upstream.pool import IdlePool
from edge.upstream.share_pool import SharePool
from edge.upstream.shared_connection import SharedConnection
from edge.upstream.uwsgi_connection import UwsgiConnection

CONNECTIONS: Final[dict[str, type[OriginConnection]]] = {"http": OriginConnection, "uwsgi": UwsgiConnection}
"""Protocol of an address → what speaks it, one request at a time."""

log = get_logger("upstream")


class Origin:
    """One origin server. Says once when it stops accepting connections, and once when it accepts them again."""

    def __init__(self, address: UpstreamAddress, new_stream: NewStream = SocketStream) -> None:
        self.address = address
        self.new_stream = new_stream
        self.name = str(address).encode()
        self.weight = address.weight
        self.shared = SharePool(str(address)) if address.protocol == H2C else None
        self._own: IdlePool[OriginConnection] = IdlePool()
        self.pool: IdlePool[OriginConnection] | SharePool = self._own if self.shared is None else self.shared
        self.health = OriginHealth()
        self.is_wanted = False
        """Whether a visitor's request has needed it: before that, its being down is no news."""
        self._down_since: float | None = None
        self._is_told = False

    def __repr__(self) -> str:
        state = "up" if self._down_since is None else "down"
        return f"<Origin {self.address} {state} {self.busy} busy {len(self.pool)} idle>"

    def new_connection(self, deadlines: Deadlines, loop: asyncio.AbstractEventLoop) -> RequestCarrier:
        """One to be opened; of a shared one, the first share."""
        if self.shared is not None:
            return ConnectionShare(SharedConnection(self.shared, deadlines, loop))
        return CONNECTIONS[self.address.protocol](self._own, deadlines, loop)

    @property
    def busy(self) -> int:
        """Requests under way: connections that carry one or are being opened for one, or shares of connections."""
        return self.pool.busy

    def is_avoided(self, now: float) -> bool:
        """Whether others should be tried first."""
        return self.health.is_avoided(now)

    def note_refused(self, now: float, word: str) -> None:
        """A connection could not be opened."""
        self.health.refused(now)
        if self._down_since is None:
            self._down_since = now
        if self.is_wanted and not self._is_told:
            self._is_told = True
            log.warning("upstream is down", upstream=str(self.address), reason=word)

    def note_opened(self, now: float) -> None:
        """A connection was opened."""
        self.health.opened()
        if self._down_since is not None and self._is_told:
            log.info("upstream is up again", upstream=str(self.address), down_seconds=round(now - self._down_since, 1))
        self._down_since, self._is_told = None, False

    def note_status(self, status: int, now: float) -> None:
        """It answered a request."""
        if self.health.answered(status, now):
            self._warn_avoided(str(status))

    def note_failure(self, now: float, word: str) -> None:
        """It did not answer a request, or not with HTTP."""
        if self.health.answered_badly(now):
            self._warn_avoided(word)

    def _warn_avoided(self, reason: str) -> None:
        log.warning("upstream answers badly, others are preferred", upstream=str(self.address), reason=reason)
