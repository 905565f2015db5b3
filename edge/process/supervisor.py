"""The supervisor: what the operator wants (start, reload, stop) turned into processes.

    starting ──all ready──> serving ──SIGHUP──> reloading ──all ready──> serving, old workers drain
                                                     └── broken, or not ready in time ──> serving as before
    serving ──SIGUSR2──> upgrading (see `upgrade`) ──another edge serves──> old workers drain ──> exit 0
    any ──SIGTERM, SIGINT──> draining ──workers gone──> keeper stops ──> exit 0      (a second signal: now)

It serves nothing itself, so nothing that a visitor, a CA or an origin does can end it. After each turn of the poll loop
`_advance` looks at the processes and takes the next step; no step waits for anything.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Final

from msgspec import structs

from edge.config.schema import Config
from edge.errors import ConfigError, EdgeError, StartError
from edge.net.listening import close_listeners
from edge.process.crew import Crew
from edge.process.generation import Generation, prepare
from edge.process.handover import Predecessor, Prepared, Refused, Serving
from edge.process.inheritance import Inheritance, take_inheritance
from edge.process.keeper import STOP_TIMEOUT
from edge.process.liveness import Liveness, beat_seconds
from edge.process.notify import Notifier, take_notifier
from edge.process.pid_file import own_record, write_supervised
from edge.process.prctl import set_process_name
from edge.process.process_tree import ProcessTree
from edge.process.provisions import provide_access_log
from edge.process.reactor import Reactor, Timer
from edge.process.service import Parts, real_parts
from edge.process.upgrade import RELEASE_TIMEOUT, Upgrade
from edge.telemetry.announce import listening_text
from edge.telemetry.logs import get_logger
from edge.telemetry.version import edge_version

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
            predecessor.channel.send(Refused(_sentences(problem)))
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
        self._notifier = notifier
        self._predecessor = predecessor
        self._tree = ProcessTree(self._reactor, parts, first, held=predecessor is not None, beat=beat_seconds(notifier))
        self._liveness = Liveness(self._reactor, notifier, self._tree, self._serves_if_it_should)
        self._record = own_record(edge_version())  # read now: an upgrade changes what is installed
        self._upgrade: Upgrade | None = None
        self._upgrade_wanted = False
        self._has_begun = False
        self._current = self._tree.add_crew(first)
        self._incoming: Crew | None = None
        self._patience: Timer | None = None
        self._reload_wanted = False
        self._has_served = False
        self._is_live = False
        self._stopping = False
        self._began = time.monotonic()

    def run(self) -> int:
        """Returns after an orderly stop."""
        set_process_name("edge")
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
        self._parts.announcer.done("ports", listening_text(self._current.generation.config))
        _report_rights(self._current.generation)
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
            self._begin_reload()
        elif not self._has_served and self._current.is_ready:
            self._report_serving()
        if self._has_served and not self._is_live:
            self._announce_live()
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
                self._reopen_logs()
            case signal.SIGUSR2:
                self._upgrade_wanted = True
            case _:
                self._stop()

    def _reopen_logs(self) -> None:
        """The old file was renamed: the new one is made here, because workers may not be allowed to."""
        generation = self._current.generation
        try:
            provide_access_log(generation.config.log.access, generation.account)
        except StartError as problem:
            log.error("access log cannot be made anew", problem=str(problem), hints=problem.hints)
        self._tree.reopen_logs()

    # -- stop ---------------------------------------------------------------------------------------------------------

    def _stop(self) -> None:
        """Accept nothing more and let exchanges in flight finish; asked once more, end now."""
        seconds = 0.0 if self._stopping else self._current.generation.config.drain_seconds
        self._stopping = True
        log.info("stopping", pid=os.getpid(), within_seconds=seconds)
        self._notifier.stopping()
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

    def _begin_reload(self) -> None:
        self._reload_wanted = False
        self._notifier.reloading()
        generation = self._prepare_next()
        if generation is None:
            self._notifier.ready(f"the last reload was refused; {self._status}")
            return
        log.info("reloading", generation=generation.number)
        self._began = time.monotonic()
        self._parts.configure_logs(generation.config)
        self._tree.configure_keeper(generation)  # before the workers, whose first snapshot must hold the new names
        self._incoming = self._tree.add_crew(generation)
        self._incoming.start()
        self._replace_patience(self._give_up_reload)

    def _prepare_next(self) -> Generation | None:
        """The next generation, or None when the operator's input cannot be used; whatever is wrong with it, we go on."""
        hints: tuple[str, ...] = ()
        try:
            return prepare(self._reload(), self._current.generation)
        except ConfigError as problem:
            complaints = problem.complaints
        except StartError as problem:
            complaints, hints = [str(problem)], problem.hints
        except Exception as problem:
            log.exception("reload failed")
            complaints = [str(problem)]
        log.error("reload refused, serving as before", complaints=complaints, hints=hints)
        return None

    def _promote(self, crew: Crew) -> None:
        """The new workers serve; the old ones drain. An address that is no longer wanted refuses visitors from now on."""
        old, self._current, self._incoming = self._current, crew, None
        self._replace_patience(None)
        old.retire(old.generation.config.drain_seconds)
        close_listeners(old.generation.listeners, keep=crew.generation.listeners)
        self._report_serving()

    def _give_up_reload(self) -> None:
        crew, self._incoming = self._incoming, None
        if crew is None:
            return
        log.error("new workers do not become ready, serving as before", generation=crew.generation.number)
        current = self._current.generation
        crew.retire(current.config.drain_seconds)  # not killed: some of them may be serving visitors
        close_listeners(crew.generation.listeners, keep=current.listeners)
        self._notifier.ready(f"the last reload failed; {self._status}")
        self._parts.configure_logs(current.config)
        self._tree.configure_keeper(current)

    def _replace_patience(self, call: Callable[[], None] | None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = None if call is None else self._reactor.call_later(READY_TIMEOUT, call)

    # -- upgrade, as the one that is replaced -------------------------------------------------------------------------

    def _begin_upgrade(self) -> None:
        self._upgrade_wanted = False
        current = self._current.generation
        log.info("upgrading", pid=os.getpid(), version=self._record.version)
        try:
            if os.getpid() == 1:
                raise StartError("edge is the first process of a container, which ends with it; start a new container")
            self._upgrade = Upgrade(self._reactor, self._tree, current, self._notifier)
        except (OSError, StartError) as problem:
            self._refuse_upgrade([f"the new edge cannot be started: {problem}"])

    def _advance_upgrade(self, upgrade: Upgrade) -> None:
        match upgrade.advance():
            case "failed":
                self._upgrade = None
                self._refuse_upgrade(upgrade.complaints)
            case "done":
                self._hand_over(upgrade)

    def _refuse_upgrade(self, complaints: list[str]) -> None:
        log.error("upgrade refused, serving as before", complaints=complaints)
        self._record = structs.replace(self._record, refusals=self._record.refusals + 1, complaints=tuple(complaints))
        write_supervised(self._current.generation.config.storage, self._record)

    def _hand_over(self, upgrade: Upgrade) -> None:
        """The other edge serves: our workers finish what they have, and then it is alone."""
        generation = self._current.generation
        log.info("handing over", to_pid=upgrade.successor.pid, within_seconds=generation.config.drain_seconds)
        self._stopping = True
        self._notifier.replaced_by(upgrade.successor.pid)
        self._tree.retire_workers(generation.config.drain_seconds)
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
            self._notifier.ready(self._status)
            self._liveness.watch()

    # -- words for the operator ---------------------------------------------------------------------------------------

    def _report_serving(self) -> None:
        generation = self._current.generation
        if not self._has_served:
            self._has_served = True
            write_supervised(generation.config.storage, self._record)
            if self._predecessor is None:
                self._liveness.watch()
        if self._predecessor is not None:
            self._predecessor.channel.send(Serving())
        else:
            self._notifier.ready(self._status)
        log.info(
            "serving",
            generation=generation.number,
            addresses=[str(listener) for listener in generation.listeners],
            workers=generation.config.workers,
            pid=os.getpid(),
            after_seconds=round(time.monotonic() - self._began, 2),
        )

    @property
    def _status(self) -> str:
        generation = self._current.generation
        return f"edge {self._record.version}, {listening_text(generation.config)}, {generation.config.workers} workers"

    def _serves_if_it_should(self) -> bool:
        """Whether some worker serves. Before the first one does, and while the last ones drain, other deadlines watch."""
        return not self._has_served or self._stopping or any(worker.is_ready for worker in self._current.workers)

    def _announce_live(self) -> None:
        """To a person, once: workers serve, and browsers will not complain."""
        keeper = self._tree.keeper.child
        if keeper is not None and keeper.is_certified:
            self._is_live = True
            self._parts.announcer.live(self._current.generation.config)

    def _announce_meanwhile(self) -> None:
        if self._has_served and not self._is_live:
            self._parts.announcer.meanwhile(self._current.generation.config)

    def _report_slow_start(self) -> None:
        if not self._has_served:
            log.error("workers do not become ready, still trying", seconds=READY_TIMEOUT, processes=repr(self._tree))


def _sentences(problem: EdgeError) -> tuple[str, ...]:
    match problem:
        case ConfigError():
            return tuple(problem.complaints)
        case StartError():
            return (str(problem), *problem.hints)
        case _:
            return (str(problem),)


def _report_rights(generation: Generation) -> None:
    user = generation.config.user
    if os.geteuid() == 0 and not user:
        log.warning("workers run as root", fix="name an ordinary user for them: --user www-data")
    elif user and generation.account is None:
        log.warning("not started as root, workers keep the present user", user=user)
