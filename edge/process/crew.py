"""The workers of one generation."""

from __future__ import annotations

from collections.abc import Callable

from edge.config.moves import find_moves
from edge.config.schema import Config
from edge.process.generation import Generation
from edge.process.messages import Moved
from edge.process.reactor import Reactor
from edge.process.slot import Child, Slot


class Crew:
    """As many kept-filled slots as the configuration asks for; `fork` starts one worker. `spool` is their directory
    for large bodies, "" for none of their own."""

    def __init__(self, generation: Generation, reactor: Reactor, fork: Callable[[], Child], spool: str = "") -> None:
        self.generation = generation
        self.spool = spool
        self._slots = [Slot("worker", reactor, fork) for _ in range(generation.config.workers)]
        self._retired = False

    def __repr__(self) -> str:
        return f"<Crew generation={self.generation.number} {self._slots}>"

    @property
    def workers(self) -> list[Child]:
        """Those that live."""
        return [slot.child for slot in self._slots if slot.child is not None]

    @property
    def is_ready(self) -> bool:
        """Whether every worker accepts connections."""
        return all(slot.is_ready for slot in self._slots)

    @property
    def is_gone(self) -> bool:
        """Whether it was retired and its last worker has ended."""
        return self._retired and not self.workers

    def start(self) -> None:
        """Fill all slots."""
        for slot in self._slots:
            slot.fill()

    def tell_moves(self, config: Config) -> None:
        """Tell all workers which of their applications are elsewhere in a later configuration."""
        moves = find_moves(self.generation.config, config)
        for worker in self.workers:
            for move in moves:
                worker.channel.send(Moved(move))

    def retire(self, seconds: float) -> None:
        """Tell all workers to end within `seconds`; no new one is started."""
        self._retired = True
        for slot in self._slots:
            slot.retire(seconds)

    def reap(self) -> None:
        """Notice which workers have ended."""
        for slot in self._slots:
            slot.reap()
