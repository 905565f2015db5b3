"""The HTTP/2 connections to one origin, and who waits for a share of them.

One connection serves many requests, so at most one is being opened at a time, whoever asked for it: all wait for the same one.
A further one is opened when those there are have no stream left, up to ORIGIN_CONNECTIONS; beyond, the first in the queue gets
the next stream that ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from edge.errors import UpstreamError
from edge.http.limits import ORIGIN_CONNECTIONS
from edge.telemetry.logs import get_logger

log = get_logger("upstream")

if TYPE_CHECKING:
    from edge.upstream.carrier import RequestCarrier
    from edge.upstream.connect import Claimer, ConnectAttempt
    from edge.upstream.connection_share import ConnectionShare
    from edge.upstream.shared_connection import SharedConnection

NewDial: TypeAlias = "Callable[[Claimer], ConnectAttempt]"
"""Makes the search for a new connection to this origin, not yet started."""


class SharePool:
    """As `IdlePool` for connections that are not shared. `name` is the origin's, for the log."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self._connections: dict[SharedConnection, None] = {}  # the oldest first: it is filled first
        self._waiting: dict[Claimer, None] = {}
        self._dial: ConnectAttempt | None = None
        self._new_dial: NewDial | None = None
        self._told: set[str] = set()

    def __len__(self) -> int:
        """Connections that nobody uses."""
        return sum(not connection.in_use for connection in self._connections)

    def __repr__(self) -> str:
        return f"<SharePool {len(self._connections)} connections, {self.busy} busy, {len(self._waiting)} waiting>"

    @property
    def busy(self) -> int:
        """Requests under way, and those that wait to be."""
        return sum(connection.in_use for connection in self._connections) + len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether no further connection may be opened."""
        return len(self._connections) >= ORIGIN_CONNECTIONS

    @property
    def obstacle(self) -> str:
        """The word for why there is no further connection, should that be known."""
        if self.is_full:
            return "backlog-full"
        return self._dial.obstacle if self._dial else ""

    def claim(self, now: float) -> ConnectionShare | None:
        """A share of an open connection, or None when there is none: then `join`."""
        for connection in self._connections:
            if connection.room > 0:
                return connection.new_share()
        return None

    def join(self, claimer: Claimer, new_dial: NewDial) -> None:
        """Wait for a share. The claimer hears once, perhaps at once, unless it `leave`s before."""
        self._waiting[claimer] = None
        self._new_dial = new_dial
        self._open_another()

    def leave(self, claimer: Claimer) -> None:
        """Wait no longer; no error when it did not."""
        self._waiting.pop(claimer, None)

    def _open_another(self) -> None:
        if self._waiting and self._dial is None and self._new_dial and not self.is_full:
            self._dial = self._new_dial(self)
            self._dial.start()

    def _serve(self) -> None:
        """Give what there is to those who wait, in their order."""
        while self._waiting:
            share = self.claim(0.0)
            if share is None:
                self._open_another()
                return
            self._take_first().connection_opened(share)

    def _take_first(self) -> Claimer:
        claimer = next(iter(self._waiting))
        del self._waiting[claimer]
        return claimer

    # -- the search for a connection ----------------------------------------------------------------------------------

    def connection_opened(self, carrier: RequestCarrier) -> None:
        """A new connection, with its first share."""
        self._dial = None
        if self._waiting:
            self._take_first().connection_opened(carrier)
            self._serve()
        else:
            carrier.close()  # everybody has left meanwhile; the connection stays

    def connection_failed(self, error: UpstreamError) -> None:
        """The origin cannot be reached: everybody who waits is told."""
        self._dial = None
        waiting, self._waiting = self._waiting, {}
        for claimer in waiting:
            claimer.connection_failed(error)

    # -- called by connections ----------------------------------------------------------------------------------------

    def opened(self, connection: SharedConnection) -> None:
        """It is ready."""
        self._connections[connection] = None

    def lost(self, connection: SharedConnection) -> None:
        """It is gone."""
        self._connections.pop(connection, None)
        self._serve()

    def has_room(self, connection: SharedConnection) -> None:
        """A stream has ended, or the connection takes no new ones."""
        if self._waiting:
            self._serve()

    def note_failure(self, word: str) -> None:
        """The origin has broken the protocol on an open connection. Each way to do so is told once."""
        if word not in self._told:
            self._told.add(word)
            log.warning("upstream breaks the protocol", upstream=self.name, reason=word)

    def drain(self) -> list[SharedConnection]:
        """Open nothing more; the caller must close what it returns."""
        dial, self._dial, self._new_dial = self._dial, None, None
        if dial:
            dial.cancel()
        return list(self._connections)
