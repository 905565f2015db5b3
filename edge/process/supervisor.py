"""The supervisor: what the operator wants (start, reload, stop) turned into processes.

    starting ──all ready──> serving ──SIGHUP──> reloading ──all ready──> serving, old workers drain
                                                     └── broken, or not ready in time ──> serving as before
    serving ──SIGUSR2──> upgrading (see `upgrade`) ──another edge serves──> old workers drain ──> exit 0
    any ──SIGTERM, SIGINT──> draining ──workers gone──> keeper stops ──> exit 0      (a second signal: now)

It serves nothing itself, so nothing that a visitor, a CA or an origin does can end it. After each turn of the poll loop
`_advance` looks at the processes and takes the next step; no step waits for anything.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Callable
from typing import Final

from edge.config.schema import Config
from edge.errors import EdgeError, StartError
from edge.net.listening import close_listeners
from edge.process.crew import Crew
from edge.process.generation import Generation, prepare
from edge.process.handover import Predecessor, Prepared, Refused, Serving
from edge.process.inheritance import Inheritance, take_inheritance
from edge.process.keeper import STOP_TIMEOUT
from edge.process.liveness import Liveness, beat_seconds
from edge.process.log_watch import LogWatch
from edge.process.mount_watch import MountWatch
from edge.process.notify import Notifier, take_notifier
from edge.process.prctl import keep_memory_private, set_process_name
from edge.process.process_tree import ProcessTree
from edge.process.reactor import Reactor, Timer
from edge.process.reports import Reports, sentences
from edge.process.service import Parts, real_parts
from edge.process.upgrade import RELEASE_TIMEOUT, Upgrade
from edge.telemetry.logs import get_logger

READY_TIMEOUT: Final = 30.0
"""New workers that do not serve by then are given up, and the old ones stay."""

LIVE_PATIENCE: Final = 5.0
"""Seconds until a person who waits for certificates is told what is served meanwhile."""

log = get_logger("process")


def run(
    config: Config, reload: Callable[[], Config], parts: Parts | None = None, inheritance: Inheritance | None = None
) -> int:
    """Serve until a signal says stop; the exit status of the command.

    `reload` reads the configuration again, on SIGHUP; it raises ConfigError. `parts` is what runs inside the processes, by
    default the product; `inheritance` what the environment has brought, by default looked for now. Must be called on the main
    thread of a process without other threads, because it forks.
    Raises: ConfigError, StartError before anything runs.
    """
    parts = parts or real_parts()
    parts.configure_logs(config)
    inheritance = inheritance or take_inheritance(os.environ)
    predecessor = inheritance.predecessor
    try:
        first = prepare(config, inheritance=inheritance)
    except EdgeError as problem:
        if predecessor is not None:
            predecessor.channel.send(Refused(sentences(problem)))
        raise
    return Supervisor(first, reload, parts, take_notifier(os.environ, os.getpid()), predecessor).run()


class Supervisor:
    """One run of the command: the crew that serves, and during a reload the one that is to replace it.

    `predecessor` is the edge whose sockets we have, during an upgrade; then the service manager listens to it, not to us."""

    def __init__(
        self,
        first: Generation,
        reload: Callable[[], Config],
        parts: Parts,
        notifier: Notifier,
        predecessor: Predecessor | None,
    ) -> None:
        self._reload = reload
        self._parts = parts
        self._reactor = Reactor(self._signalled)
        self._reports = Reports(parts.announcer, notifier)
        self._notifier = notifier
        self._predecessor = predecessor
        self._tree = ProcessTree(self._reactor, parts, first, held=predecessor is not None, beat=beat_seconds(notifier))
        self._liveness = Liveness(self._reactor, notifier, self._tree, self._serves_if_it_should)
        self._upgrade: Upgrade | None = None
        self._upgrade_wanted = False
        self._has_begun = False
        self._current = self._tree.add_crew(first)
        self._incoming: Crew | None = None
        self._patience: Timer | None = None
        self._mounts = MountWatch(self._reactor, self._mount_replaced)
        self._logs = LogWatch(self._reactor, self._tree.reopen_logs)
        self._renewal_wanted = False
        self._reload_wanted = False
        self._has_served = False
        self._stopping = False

    def run(self) -> int:
        """Returns after an orderly stop."""
        set_process_name("edge")
        _keep_keys_in_memory()
        if self._predecessor is None:
            self._begin()
        else:
            self._reactor.watch(self._predecessor.channel, self._predecessor.hear)
            self._predecessor.channel.send(Prepared())
        while not self._advance():
            self._reactor.run_once()
        self._reactor.close()
        log.info("stopped")
        return 0

    def _begin(self) -> None:
        self._has_begun = True
        self._reports.beginning(self._current.generation)
        self._logs.watch(self._current.generation)
        self._tree.keeper.fill()
        self._current.start()
        self._patience = self._reactor.call_later(READY_TIMEOUT, self._report_slow_start)
        self._reactor.call_later(LIVE_PATIENCE, self._announce_meanwhile)

    def _advance(self) -> bool:
        """Take the step that the processes are ready for; whether everything has ended."""
        if self._stopping:
            return self._advance_stop()
        if self._predecessor is not None:
            self._advance_takeover(self._predecessor)
        if self._upgrade is not None:
            self._advance_upgrade(self._upgrade)
        elif self._incoming is not None:
            if self._incoming.is_ready:
                self._promote(self._incoming)
        elif self._predecessor is None and self._upgrade_wanted and self._has_served:
            self._begin_upgrade()
        elif self._predecessor is None and self._reload_wanted:
            self._begin_reload(self._reload)
        elif self._predecessor is None and self._renewal_wanted and self._has_served:
            self._begin_reload(lambda: self._current.generation.config)
        elif not self._has_served and self._current.is_ready:
            self._announce_serving()
        keeper = self._tree.keeper.child
        if self._has_served and keeper is not None and keeper.is_certified:
            self._reports.live(self._current.generation.config)
        return False

    def _signalled(self, number: signal.Signals) -> None:
        match number:
            case signal.SIGCHLD:
                self._tree.reap()
                if self._upgrade is not None:
                    self._upgrade.successor.reap()
            case signal.SIGHUP:
                self._reload_wanted = True  # also when one is going on: the file may have changed since it was read
            case signal.SIGUSR1:
                self._logs.renew()
            case signal.SIGUSR2:
                self._upgrade_wanted = True
            case _:
                self._stop()

    # -- stop ---------------------------------------------------------------------------------------------------------

    def _stop(self) -> None:
        """Accept nothing more and let exchanges in flight finish; asked once more, end now."""
        seconds = 0.0 if self._stopping else self._current.generation.config.drain_seconds
        self._stopping = True
        self._reports.stopping(seconds)
        if self._upgrade is not None and not self._upgrade.successor.is_gone:
            self._upgrade.abandon()
        self._tree.keeper.let_end()  # it may have been sent the same signal, with the whole group
        self._tree.retire_workers(seconds)
        for crew in (self._current, self._incoming):
            if crew is not None:
                close_listeners(crew.generation.listeners)
        if self._tree.keeper.is_retired:
            self._tree.keeper.retire(seconds)

    def _advance_stop(self) -> bool:
        """The keeper goes last: until then workers may need what it publishes."""
        if self._upgrade is not None:
            self._upgrade.release_when_quiet()
        if self._tree.workers or (self._upgrade is not None and self._upgrade.is_ending):
            return False
        if not self._tree.keeper.is_retired:
            self._tree.keeper.retire(STOP_TIMEOUT)
        return self._tree.keeper.child is None

    # -- reload -------------------------------------------------------------------------------------------------------

    def _begin_reload(self, load: Callable[[], Config]) -> None:
        self._reload_wanted = self._renewal_wanted = False
        self._reports.reload_asked()
        try:
            generation = prepare(load(), self._current.generation)
        except Exception as problem:  # whatever is wrong with the operator's input, we go on
            self._reports.reload_refused(problem, self._current.generation)
            return
        self._reports.reloading(generation)
        self._parts.configure_logs(generation.config)
        self._tree.configure_keeper(generation)  # before the workers, whose first snapshot must hold the new names
        self._logs.watch(generation)
        self._incoming = self._tree.add_crew(generation)
        self._incoming.start()
        self._replace_patience(self._give_up_reload)

    def _mount_replaced(self, directory: str) -> None:
        log.info("directory was replaced, so are workers", directory=directory)
        self._renewal_wanted = True

    def _promote(self, crew: Crew) -> None:
        """The new workers serve; the old ones drain. An address that is no longer wanted refuses visitors from now on."""
        old, self._current, self._incoming = self._current, crew, None
        self._replace_patience(None)
        self._tree.tell_moves(crew.generation.config)
        old.retire(old.generation.config.drain_seconds)
        close_listeners(old.generation.listeners, keep=crew.generation.listeners)
        self._announce_serving()

    def _give_up_reload(self) -> None:
        crew, self._incoming = self._incoming, None
        if crew is None:
            return
        current = self._current.generation
        self._reports.reload_given_up(crew.generation, current)
        crew.retire(current.config.drain_seconds)  # not killed: some of them may be serving visitors
        close_listeners(crew.generation.listeners, keep=current.listeners)
        self._parts.configure_logs(current.config)
        self._logs.watch(current)
        self._tree.configure_keeper(current)

    def _replace_patience(self, call: Callable[[], None] | None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = None if call is None else self._reactor.call_later(READY_TIMEOUT, call)

    # -- upgrade, as the one that is replaced -------------------------------------------------------------------------

    def _begin_upgrade(self) -> None:
        self._upgrade_wanted = False
        current = self._current.generation
        self._reports.upgrading()
        try:
            self._upgrade = Upgrade(self._reactor, self._tree, current, self._notifier)
        except (OSError, StartError) as problem:
            self._reports.upgrade_refused([f"the new edge cannot be started: {problem}"], current.config.storage)

    def _advance_upgrade(self, upgrade: Upgrade) -> None:
        match upgrade.advance():
            case "failed":
                self._upgrade = None
                self._reports.upgrade_refused(upgrade.complaints, self._current.generation.config.storage)
            case "done":
                self._hand_over(upgrade)

    def _hand_over(self, upgrade: Upgrade) -> None:
        """The other edge serves: our workers finish what they have, and then it is alone."""
        generation = self._current.generation
        seconds = generation.config.drain_seconds
        self._stopping = True
        self._reports.handing_over(upgrade.successor.pid, seconds)
        self._tree.retire_workers(seconds)
        close_listeners(generation.listeners)
        self._reactor.call_later(RELEASE_TIMEOUT, upgrade.successor.release)

    # -- upgrade, as the one that replaces ----------------------------------------------------------------------------

    def _advance_takeover(self, predecessor: Predecessor) -> None:
        if predecessor.may_proceed and not self._has_begun:
            self._begin()
        if predecessor.is_gone:
            self._reactor.forget(predecessor.channel)
        if predecessor.is_gone and self._has_served:
            self._predecessor = None
            self._tree.release_keeper()
            self._lead()

    # -- serving ------------------------------------------------------------------------------------------------------

    def _announce_serving(self) -> None:
        """All workers of the current generation accept connections."""
        generation = self._current.generation
        is_first, self._has_served = not self._has_served, True
        self._reports.serving(generation)
        self._mounts.watch(generation.config)
        if is_first:
            self._reports.record(generation.config.storage)
        if self._predecessor is not None:
            self._predecessor.channel.send(Serving())
        elif is_first:
            self._lead()
        else:
            self._reports.serves_alone(generation)

    def _lead(self) -> None:
        """From now on we are the main process of the service."""
        self._reports.serves_alone(self._current.generation)
        self._liveness.watch()

    def _serves_if_it_should(self) -> bool:
        """Whether some worker serves. While the last ones drain, other deadlines watch."""
        return self._stopping or any(worker.is_ready for worker in self._current.workers)

    def _announce_meanwhile(self) -> None:
        if self._has_served:
            self._reports.meanwhile(self._current.generation.config)

    def _report_slow_start(self) -> None:
        if not self._has_served:
            log.error("workers do not become ready, still trying", seconds=READY_TIMEOUT, processes=repr(self._tree))


def _keep_keys_in_memory() -> None:
    """The keys of session tickets are here, those of certificates in our children: none of them belongs in a core dump."""
    keep_memory_private()
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
