"""One request's wait for a connection: a search among the origins, and a place in the hold queue while all of them are down.

searching ──opened──▶ done
  │  ▲ └──failed otherwise──▶ done
  │  └──────────released──┐
  └─all down─▶ held ──────┘ ──expired──▶ done        `cancel` ends it from anywhere
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from edge.errors import UpstreamError
from edge.upstream.carrier import RequestCarrier
from edge.upstream.connect import Claimer, ConnectAttempt
from edge.upstream.failures import down_error
from edge.upstream.hold import Hold
from edge.upstream.hold_queue import Place

NewAttempt: TypeAlias = Callable[[Claimer], ConnectAttempt]


class Claim:
    """Ends in exactly one call to its claimer, or none after `cancel`. `hold` None: failures are told at once.

    `size` are the bytes of the request's body that wait along.
    """

    __slots__ = ("_attempt", "_claimer", "_hold", "_new_attempt", "_place", "_size", "held_seconds")

    def __init__(self, claimer: Claimer, new_attempt: NewAttempt, hold: Hold | None, size: int) -> None:
        self._claimer = claimer
        self._new_attempt = new_attempt
        self._hold = hold
        self._size = size
        self._attempt: ConnectAttempt | None = None
        self._place: Place | None = None
        self.held_seconds = 0.0
        """How long it was held; right from the moment when the claimer is called."""

    def __repr__(self) -> str:
        return f"<Claim {'searching' if self._attempt else 'held or done'}>"

    @property
    def size(self) -> int:
        """See the class."""
        return self._size

    def start(self) -> None:
        """Search, unless others are held already: then wait behind them."""
        if self._hold and self._hold.is_on and self._hold.is_worthwhile:
            self._wait(self._hold)
        else:
            self._search()

    def cancel(self) -> None:
        """Give up silently."""
        attempt, self._attempt = self._attempt, None
        if attempt:
            attempt.cancel()
        if self._hold:
            self._hold.leave(self)

    # -- searching ----------------------------------------------------------------------------------------------------

    def _search(self) -> None:
        self._attempt = self._new_attempt(self)
        self._attempt.start()

    def connection_opened(self, connection: RequestCarrier) -> None:
        """An origin accepted."""
        self._attempt = None
        if self._hold:
            self._hold.is_worthwhile = True
        self._claimer.connection_opened(connection)

    def connection_failed(self, error: UpstreamError) -> None:
        """No origin did."""
        self._attempt = None
        if self._hold and error.is_down and self._hold.is_worthwhile:
            self._wait(self._hold)
        else:
            self._claimer.connection_failed(error)

    # -- held ---------------------------------------------------------------------------------------------------------

    def _wait(self, hold: Hold) -> None:
        if self._place:
            hold.put_back(self, self._place)
        elif not hold.join(self):
            self._claimer.connection_failed(down_error())

    def released(self, place: Place, held_seconds: float) -> None:
        """An origin accepts again: search. The place is kept, should that be in vain."""
        self._place = place
        self.held_seconds = held_seconds
        self._search()

    def served(self, connection: RequestCarrier, held_seconds: float) -> None:
        """The connection that found out is for the first in the queue."""
        self.held_seconds = held_seconds
        self._claimer.connection_opened(connection)

    def expired(self, held_seconds: float) -> None:
        """Nobody came back in time."""
        self.held_seconds = held_seconds
        self._claimer.connection_failed(down_error())
