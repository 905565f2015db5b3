"""Feeding the watchdog of a service manager, and only while there is something alive to speak of.

Keeper and workers say `Alive` from their event loops; one that runs but is silent for too long hangs. It is killed, because
its place is then filled anew and its siblings serve on; the watchdog is not fed while anybody hangs, or while no worker serves.
So what replacing cannot heal, the service manager's restart will.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from edge.process.notify import Notifier
from edge.process.process_tree import ProcessTree
from edge.process.reactor import Reactor
from edge.process.slot import Child
from edge.telemetry.logs import get_logger

BEATS: Final = 4
"""In each watchdog interval we are heard so often, and hear our children so often."""

SILENCE: Final = 2
"""The part of an interval after which a child is taken for hanging: the rest is time to replace it."""

log = get_logger("process")


class Liveness:
    """Looks at the processes in every quarter of the watchdog's interval. `serves` tells whether somebody answers visitors, as
    far as that can be expected now."""

    def __init__(self, reactor: Reactor, notifier: Notifier, tree: ProcessTree, serves: Callable[[], bool]) -> None:
        self._reactor = reactor
        self._notifier = notifier
        self._tree = tree
        self._serves = serves

    def watch(self) -> None:
        """Begin. Without a watchdog nothing happens, and it ends when another process is the main one."""
        interval = self._notifier.watchdog
        if not interval:
            return
        self._reactor.call_later(interval / BEATS, self.watch)
        hanging = self._hanging(time.monotonic() - interval / SILENCE)
        for child in hanging:
            log.error("process hangs, killing it", child=child.role, child_pid=child.pid)
            child.kill()
        if not hanging and self._serves():
            self._notifier.alive()

    def _hanging(self, silent_since: float) -> list[Child]:
        keeper = self._tree.keeper.child
        children = [*self._tree.workers, *([keeper] if keeper is not None else [])]
        return [child for child in children if child.heard < silent_since]


def beat_seconds(notifier: Notifier) -> float:
    """How often children say that they are alive; 0.0 when nobody wants to know."""
    return notifier.watchdog / BEATS
