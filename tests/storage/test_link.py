"""A connection to a server that is slow, silent or away, for callers that must not wait."""

from __future__ import annotations

import threading

import pytest

from edge.errors import StorageError
from edge.storage.link import FIRST_PAUSE, LONGEST_PAUSE, Link


class Trouble(Exception):
    """What a client's package raises."""


class World:
    """Counts connections; `fails` makes new ones fail."""

    def __init__(self, patience: float = 5.0) -> None:
        self.now = 100.0
        self.made = self.closed = 0
        self.fails = False
        self.link = Link("test", self._connect, self._close, (Trouble,), patience=patience, clock=lambda: self.now)

    def _connect(self) -> int:
        if self.fails:
            raise Trouble("connection refused\nby \x1b[31mnobody")
        self.made += 1
        return self.made

    def _close(self, _connection: int) -> None:
        self.closed += 1


def test_one_connection_serves_all_calls() -> None:
    """It is made by the first one."""
    world = World()
    assert world.made == 0
    assert [world.link.use(lambda connection: connection) for _ in range(3)] == [1, 1, 1]
    world.link.close()
    assert world.closed == 1
    assert world.link.use(lambda connection: connection) == 2
    world.link.close()


def test_a_broken_connection_is_replaced_once() -> None:
    """The caller does not hear of a server that was restarted in between."""
    world = World()
    world.link.use(lambda connection: connection)

    def work(connection: int) -> int:
        if connection == 1:
            raise Trouble("terminated")
        return connection

    assert world.link.use(work) == 2
    assert world.closed == 1
    world.link.close()


def complaint(world: World) -> str:
    with pytest.raises(StorageError) as caught:
        world.link.use(lambda connection: connection)
    return str(caught.value)


def test_a_server_that_is_away_is_asked_less_and_less_often() -> None:
    """Calls in a pause fail at once, with the cause in one printable line; pauses double up to a limit; success ends them."""
    world = World()
    world.fails = True
    pauses = []
    for _ in range(8):
        assert complaint(world).endswith("test cannot be used: connection refused by [31mnobody")
        pauses.append(float(complaint(world).split()[-2]))
        world.now += pauses[-1] + 0.1
    assert pauses == [FIRST_PAUSE, 1.0, 2.0, 4.0, 8.0, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]
    world.fails = False
    assert world.link.use(lambda connection: connection) == 1
    world.link.close()


def test_a_server_that_says_nothing_is_left_behind() -> None:
    """The caller goes on after its patience; what hangs keeps its own thread and connection, the next call gets new ones."""
    world = World(patience=0.05)
    gate = threading.Event()
    world.link.use(lambda connection: connection)
    with pytest.raises(StorageError, match="no answer within"):
        world.link.use(lambda _connection: gate.wait(10))
    world.now += FIRST_PAUSE
    assert world.link.use(lambda connection: connection) == 2
    gate.set()
    world.link.close()


def test_what_the_work_raises_itself_reaches_the_caller() -> None:
    """A refusal by the server is an answer: the connection stays."""
    world = World()

    def refuse(_connection: int) -> None:
        raise KeyError("refused")

    with pytest.raises(KeyError):
        world.link.use(refuse)
    assert world.link.use(lambda connection: connection) == 1
    world.link.close()
