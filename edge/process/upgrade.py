"""An upgrade, on the side of the old edge: its workers serve until those of the new one do, and if these never come, go on.

    new edge starts ──Prepared──> our keeper stops ──Proceed──> new keeper and workers start ──Serving──> ours drain
           └─────────────────────────────── ended, or not in time ──> our keeper starts again, serving as before

Whoever drives it calls `advance` after each turn of the poll loop; no step waits.
"""

from __future__ import annotations

import os
from typing import Final, Literal

from edge.errors import StartError
from edge.process.generation import Generation
from edge.process.notify import Notifier
from edge.process.process_tree import ProcessTree
from edge.process.reactor import Reactor
from edge.process.slot import KILL_GRACE
from edge.process.successor import Successor

TIMEOUT: Final = 60.0
"""Seconds until the new edge must serve: twice what workers get, since it also loads its code and waits for our keeper."""

RELEASE_TIMEOUT: Final = 5.0
"""Seconds in which our workers must have said that they accept nothing more; one that hangs accepts nothing either."""


class Upgrade:
    """One attempt. Raises: OSError, StartError when the new edge cannot be started."""

    def __init__(self, reactor: Reactor, tree: ProcessTree, generation: Generation, notifier: Notifier) -> None:
        if os.getpid() == 1:
            raise StartError("edge is the first process of a container, which ends with it; start a new container")
        self._reactor = reactor
        self._tree = tree
        self._drain_seconds = generation.config.drain_seconds
        self._keeper_stops = False
        self._proceeded = False
        self._given_up = False
        self.successor = Successor(reactor, generation.listeners, generation.managed, notifier)
        self._patience = reactor.call_later(TIMEOUT, lambda: self.give_up("the new edge did not serve in time"))

    def __repr__(self) -> str:
        return f"<Upgrade {self.successor}{' given up' if self._given_up else ''}>"

    @property
    def complaints(self) -> list[str]:
        """Why it failed."""
        return self.successor.complaints

    def advance(self) -> Literal["under way", "failed", "done"]:
        """Take the step that both sides are ready for. After `failed` our keeper works again."""
        if self.successor.is_gone:
            self._patience.cancel()
            if self._keeper_stops:
                self._tree.resume_keeper()
            return "failed"
        if self.successor.is_serving and not self._given_up:
            self._patience.cancel()
            return "done"
        if self.successor.is_prepared and not self._keeper_stops:
            self._keeper_stops = True
            self._tree.suspend_keeper()
        if self._keeper_stops and not self._proceeded and self._tree.keeper.child is None:
            self._proceeded = True
            self.successor.proceed()
        return "under way"

    @property
    def is_ending(self) -> bool:
        """Whether the new edge was told to end and has not yet."""
        return self._given_up and not self.successor.is_gone

    def give_up(self, reason: str) -> None:
        """End the new edge, in order: some of its workers may be serving visitors."""
        self._given_up = True
        self.successor.complaints = [reason]
        self.successor.stop()
        self._reactor.call_later(self._drain_seconds + 2 * KILL_GRACE, self.successor.kill)

    def abandon(self) -> None:
        """We stop. A new edge that serves already is on its own; one that does not yet ends."""
        if not self.successor.is_serving:
            self.give_up("the old edge was stopped")

    def release_when_quiet(self) -> None:
        """Tell the new edge that it is alone, as soon as none of our workers accepts connections."""
        if not any(worker.accepts for worker in self._tree.workers):
            self.successor.release()
