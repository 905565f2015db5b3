"""The processes that run, how new ones are born, and how keeper and workers are introduced to each other.

Every worker shares a channel with the keeper, made here: the supervisor hands both ends on and keeps neither, so private keys
never come through it. A new keeper is born with an end for each live worker; a new worker is announced to the keeper.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
from collections.abc import Callable, Iterable

from edge.config.schema import Config
from edge.net.listening import ListeningSocket, close_listeners
from edge.process.channel import MAX_PACKET, Channel, new_pair
from edge.process.confinement import is_confined
from edge.process.crew import Crew
from edge.process.generation import Generation
from edge.process.keeper import STOP_TIMEOUT, run_keeper
from edge.process.messages import KeeperLink, Release, ReopenLogs, ToSupervisor, WorkerLink
from edge.process.reactor import Reactor
from edge.process.service import Parts
from edge.process.slot import Child, Slot
from edge.process.spawn import fork_child
from edge.process.spool_directory import make_spool_directory, remove_spool_directory
from edge.process.worker import run_worker


class ProcessTree:
    """All children of the supervisor. `generation` is the one that the keeper works for.

    `held`: another edge still lets visitors in, who would not find answers to our challenges; none is presented before
    `release_keeper`. `beat`: how often children say that they are alive, 0.0 for never."""

    def __init__(
        self, reactor: Reactor, parts: Parts, generation: Generation, *, held: bool = False, beat: float = 0.0
    ) -> None:
        self._reactor = reactor
        self._parts = parts
        self._base_context = parts.new_base_context()
        self._generation = generation
        self._supervisor = os.getpid()
        self._worker_numbers = itertools.count(1)
        self._crews: list[Crew] = []
        self._held = held
        self._beat = beat
        self.keeper = Slot("keeper", reactor, self._fork_keeper)

    def __repr__(self) -> str:
        return f"<ProcessTree keeper={self.keeper} {self._crews}>"

    @property
    def workers(self) -> list[Child]:
        """All that live, of any generation."""
        return [worker for crew in self._crews for worker in crew.workers]

    def add_crew(self, generation: Generation) -> Crew:
        """The workers of a generation, to be started by its `start`."""
        spool = make_spool_directory(generation.account) if is_confined(generation.config) else ""
        crew = Crew(generation, self._reactor, lambda: self._fork_worker(generation, spool), spool)
        self._crews.append(crew)
        return crew

    def retire_workers(self, seconds: float) -> None:
        """The same for every generation. Said again, the earlier deadline counts."""
        for crew in self._crews:
            crew.retire(seconds)

    def tell_moves(self, config: Config) -> None:
        """Tell the workers of every earlier generation where their applications are in this configuration."""
        for crew in self._crews:
            crew.tell_moves(config)

    def configure_keeper(self, generation: Generation) -> None:
        """Let the keeper, and any that replaces it, work for this generation."""
        self._generation = generation
        if self.keeper.child is not None:
            self.keeper.child.channel.send(generation.configure)

    def suspend_keeper(self) -> None:
        """Let the keeper end; its place stays empty until `resume_keeper`. Orders in flight are resumed then."""
        self.keeper.retire(STOP_TIMEOUT)

    def resume_keeper(self) -> None:
        """Start a keeper again, after `suspend_keeper`."""
        self.keeper.resume()

    def release_keeper(self) -> None:
        """Challenges may be presented."""
        self._held = False
        if self.keeper.child is not None:
            self.keeper.child.channel.send(Release())

    def reopen_logs(self) -> None:
        """Tell all workers that their log files have been rotated."""
        for worker in self.workers:
            worker.channel.send(ReopenLogs())

    def reap(self) -> None:
        """Notice which processes have ended. By pid: other children of this process are none of our business."""
        self.keeper.reap()
        for crew in self._crews:
            crew.reap()
        for crew in [crew for crew in self._crews if crew.is_gone]:
            self._crews.remove(crew)
            remove_spool_directory(crew.spool)

    # -- births -------------------------------------------------------------------------------------------------------

    def _fork_worker(self, generation: Generation, spool: str) -> Child:
        number = next(self._worker_numbers)

        def main(end: socket.socket) -> int:
            return run_worker(generation, end, self._parts, self._base_context, self._supervisor, self._beat, spool)

        for_worker, for_keeper = new_pair()
        child = self._fork("worker", number, main, keep=generation.listeners, leave=(for_worker, for_keeper))
        child.channel.send(KeeperLink(), for_worker)
        if self.keeper.child is None:
            for_keeper.close()  # the worker waits for the link to the next one
        else:
            self.keeper.child.channel.send(WorkerLink(number), for_keeper)
        return child

    def _fork_keeper(self) -> Child:
        pairs = {worker: new_pair() for worker in self.workers}
        links = {worker.number: for_keeper for worker, (_, for_keeper) in pairs.items()}
        for_workers = {worker: for_worker for worker, (for_worker, _) in pairs.items()}

        def main(end: socket.socket) -> int:
            return run_keeper(
                self._generation.config, end, links, self._parts, self._supervisor, self._beat, held=self._held
            )

        with contextlib.ExitStack() as handed_over:
            _close_on_exit(handed_over, links.values())
            child = self._fork("keeper", 0, main, leave=tuple(for_workers.values()))
        for worker, for_worker in for_workers.items():
            worker.channel.send(KeeperLink(), for_worker)
        return child

    def _fork(
        self,
        role: str,
        number: int,
        main: Callable[[socket.socket], int],
        *,
        keep: tuple[ListeningSocket, ...] = (),
        leave: tuple[socket.socket, ...] = (),
    ) -> Child:
        """A child that inherits its end of a new channel, the listeners in `keep`, and what `main` holds; not `leave`.

        Raises: OSError; then `leave` is closed here as well."""
        with contextlib.ExitStack() as undo:
            _close_on_exit(undo, leave)
            ours, theirs = new_pair()
            undo.enter_context(ours)

            def release() -> None:
                self._reactor.close()
                undo.close()
                for crew in self._crews:
                    close_listeners(crew.generation.listeners, keep)

            with theirs:
                pid = fork_child(role, release, lambda: main(theirs))
            undo.pop_all()
        return Child(role, number, pid, Channel(ours, ToSupervisor, max_message=MAX_PACKET))


def _close_on_exit(stack: contextlib.ExitStack, sockets: Iterable[socket.socket]) -> None:
    for sock in sockets:
        stack.enter_context(sock)
