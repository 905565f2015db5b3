"""When the watchdog is fed, and who is killed: decided from what the processes last said."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest

from edge.process.liveness import Liveness, beat_seconds
from edge.process.notify import Notifier
from edge.process.process_tree import ProcessTree
from edge.process.reactor import Reactor

INTERVAL = 10.0


class FakeChild:
    def __init__(self, role: str, silent: float) -> None:
        self.role = role
        self.pid = 1
        self.heard = time.monotonic() - silent
        self.killed = False

    def kill(self) -> None:
        self.killed = True


class FakeNotifier(Notifier):
    """Counts signs of life."""

    fed = 0

    def alive(self) -> None:
        self.fed += 1


class Scene:
    """A supervisor's processes, each silent for so many seconds."""

    def __init__(self, workers: tuple[float, ...], keeper: float | None, *, serves: bool = True) -> None:
        self.notifier = FakeNotifier("/nowhere", INTERVAL)
        self.timers: list[float] = []
        self.workers = [FakeChild("worker", silent) for silent in workers]
        self.keeper = None if keeper is None else FakeChild("keeper", keeper)
        tree = SimpleNamespace(workers=self.workers, keeper=SimpleNamespace(child=self.keeper))
        reactor = SimpleNamespace(call_later=self._call_later)
        self.liveness = Liveness(cast("Reactor", reactor), self.notifier, cast("ProcessTree", tree), lambda: serves)

    def _call_later(self, seconds: float, _call: Callable[[], None]) -> None:
        self.timers.append(seconds)


def test_fed_while_all_are_heard() -> None:
    """A quarter of the interval later it looks again."""
    scene = Scene((0.0, 2.0), 1.0)
    scene.liveness.watch()
    assert scene.notifier.fed == 1
    assert scene.timers == [INTERVAL / 4]


@pytest.mark.parametrize(("workers", "keeper"), [((0.0, 6.0), 0.0), ((0.0, 0.0), 6.0)])
def test_starved_while_somebody_hangs(workers: tuple[float, ...], keeper: float) -> None:
    """Silence for more than half of the interval: whoever hangs is killed, the others are not."""
    scene = Scene(workers, keeper)
    scene.liveness.watch()
    assert scene.notifier.fed == 0
    assert [child.killed for child in scene.workers] == [silent > 5 for silent in workers]
    assert scene.keeper is not None
    assert scene.keeper.killed == (keeper > 5)


def test_starved_while_nobody_serves() -> None:
    """Workers that do not come back are for the service manager to know."""
    scene = Scene((), 0.0, serves=False)
    scene.liveness.watch()
    assert scene.notifier.fed == 0


def test_a_keeper_that_is_being_replaced_starves_nobody() -> None:
    """Certificates are in memory; serving goes on without a keeper for a while."""
    scene = Scene((0.0,), None)
    scene.liveness.watch()
    assert scene.notifier.fed == 1


def test_without_a_watchdog_nobody_looks() -> None:
    """Nothing is timed, no child says that it lives; the same after another process has become the main one."""
    scene = Scene((0.0,), 0.0)
    scene.notifier.replaced_by(7)
    scene.liveness.watch()
    assert (scene.notifier.fed, scene.timers) == (0, [])
    assert beat_seconds(scene.notifier) == 0.0
