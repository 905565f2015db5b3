"""The door in front of an upstream whose origins are all down: requests wait, one connection asks, then they go in slowly.

    open ──a request found all origins down──▶ shut: ask every PROBE_INTERVAL, with one connection whatever the number of requests
     ▲                                          │ accepted: that connection goes to the first in the queue
     └──────────queue empty────────── letting in, a few at a time, more each time ──one is refused──▶ shut

While anybody waits, newcomers wait behind. So a restart of an application server costs its visitors seconds instead of errors,
and the server does not meet all of them in its first moment.

Waiting is for restarts: an upstream that has never accepted a connection, or that has kept somebody waiting in vain, is not
waited for until it accepts one. Its visitors are told at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Final

from edge.errors import UpstreamError
from edge.telemetry.logs import get_logger
from edge.upstream.carrier import RequestCarrier
from edge.upstream.connect import Claimer, ConnectAttempt
from edge.upstream.hold_queue import HoldQueue, Place

if TYPE_CHECKING:
    from edge.upstream.claim import Claim

PROBE_INTERVAL: Final = 0.2
"""Seconds between two questions; what a restart costs on top of its own length."""

FIRST_BATCH: Final = 2
"""Requests let in behind the first one. Each further batch is twice as large."""

MAX_BATCH: Final = 64
"""Largest batch: as many as a pool keeps connections for."""

SPREAD_INTERVAL: Final = 0.02
"""Seconds between batches: a full queue of 1000 is in after less than half a second."""

log = get_logger("upstream")


class Hold:
    """Holds claims of one upstream. `new_attempt` makes a search over all its origins that is not yet started."""

    def __init__(
        self, seconds: float, new_attempt: Callable[[Claimer], ConnectAttempt], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._queue: HoldQueue[Claim] = HoldQueue(seconds)
        self._seconds = seconds
        self._new_attempt = new_attempt
        self._loop = loop
        self._probe: ConnectAttempt | None = None
        self._batch = 0  # 0: the door is shut, or open because nobody waits
        self._ticking: asyncio.TimerHandle | None = None
        self._letting_in: asyncio.TimerHandle | None = None
        self.is_worthwhile = False
        """Whether the upstream has accepted a connection since it was last waited for in vain."""
        self._since = 0.0
        self._let_in = 0

    def __repr__(self) -> str:
        return f"<Hold {self._queue!r} {'letting in' if self._batch else 'shut'}>"

    def look(self) -> None:
        """Find out, before the first visitor comes, whether the upstream is up: each worker begins knowing nothing."""
        if self._probe is None:
            self._probe = self._new_attempt(self)
            self._probe.start()

    def look_again(self) -> None:
        """The origins are not where they were: ask anew if anybody waits."""
        probe, self._probe = self._probe, None
        if probe:
            probe.cancel()
        if self.is_on:
            self.look()

    @property
    def is_on(self) -> bool:
        """Whether requests wait: then newcomers must join."""
        return len(self._queue) > 0

    def join(self, claim: Claim) -> bool:
        """Wait for `released`, `served` or `expired`; False when there is no room."""
        if not self._queue.join(claim, claim.size, self._loop.time()):
            return False
        if self._ticking is None:
            self._begin()
        return True

    def put_back(self, claim: Claim, place: Place) -> None:
        """Let in too early: wait on at the old place; the door is shut again."""
        self._queue.put_back(claim, place)
        self._stop_letting_in()
        if self._ticking is None:
            self._begin()

    def leave(self, claim: Claim) -> None:
        """Wait no longer; no error when it did not."""
        self._queue.leave(claim)

    def _begin(self) -> None:
        self._since = self._loop.time()
        self._let_in = 0
        self._ticking = self._loop.call_later(PROBE_INTERVAL, self._tick)
        log.info("requests are held until the upstream accepts connections", seconds=self._seconds)

    def _tick(self) -> None:
        self._ticking = None
        now = self._loop.time()
        for claim in self._queue.expire(now):
            self.is_worthwhile = False
            claim.expired(self._seconds)
        if not self.is_on:
            self._end()
            return
        self._ticking = self._loop.call_later(PROBE_INTERVAL, self._tick)
        if self._probe is None and not self._batch:
            self._probe = self._new_attempt(self)
            self._probe.start()

    def _end(self) -> None:
        seconds = round(self._loop.time() - self._since, 1)
        log.info("no requests are held any more", let_in=self._let_in, seconds=seconds)

    def give_up(self) -> None:
        """Nobody waits any longer: all that are held are told so."""
        for claim in self._queue.expire(inf):
            claim.expired(self._seconds)

    # -- the connection that asks -------------------------------------------------------------------------------------

    def connection_opened(self, connection: RequestCarrier) -> None:
        """An origin accepts again."""
        self._probe = None
        self.is_worthwhile = True
        first = self._queue.take()
        if not first:  # everybody has left meanwhile
            connection.close()
            return
        for claim, place in first:
            self._let_in += 1
            claim.served(connection, self._held(place))
        self._let_in_soon(FIRST_BATCH)

    def connection_failed(self, error: UpstreamError) -> None:
        """Not yet; the next tick asks again."""
        self._probe = None

    # -- letting in ---------------------------------------------------------------------------------------------------

    def _let_in_soon(self, batch: int) -> None:
        self._batch = batch
        self._letting_in = self._loop.call_later(SPREAD_INTERVAL, self._let_in_batch)

    def _let_in_batch(self) -> None:
        taken = self._queue.take(self._batch)
        if self.is_on:
            self._let_in_soon(min(2 * self._batch, MAX_BATCH))
        else:
            self._stop_letting_in()
        for claim, place in taken:
            self._let_in += 1
            claim.released(place, self._held(place))

    def _stop_letting_in(self) -> None:
        self._batch = 0
        if self._letting_in:
            self._letting_in.cancel()
            self._letting_in = None

    def _held(self, place: Place) -> float:
        return self._loop.time() - (place.deadline - self._seconds)

    def close(self) -> None:
        """Ask no longer. Whoever still waits is not told."""
        self._stop_letting_in()
        if self._ticking:
            self._ticking.cancel()
        probe, self._probe = self._probe, None
        if probe:
            probe.cancel()
