"""The supervisor: what the operator wants (start, reload, stop) turned into processes.

    starting ──all ready──> serving ──SIGHUP──> reloading ──all ready──> serving, old workers drain
                                                     └── broken, or not ready in time ──> serving as before
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

from edge.config.schema import Config
from edge.errors import ConfigError, StartError
from edge.net.listening import close_listeners
from edge.process.crew import Crew
from edge.process.generation import Generation, prepare
from edge.process.keeper import STOP_TIMEOUT
from edge.process.prctl import set_process_name
from edge.process.process_tree import ProcessTree
from edge.process.provisions import provide_access_log
from edge.process.reactor import Reactor, Timer
from edge.process.service import Parts, real_parts
from edge.telemetry.announce import listening_text
from edge.telemetry.logs import get_logger

READY_TIMEOUT: Final = 30.0
"""New workers that do not serve by then are given up, and the old ones stay."""

LIVE_PATIENCE: Final = 5.0
"""Seconds until a person who waits for certificates is told what is served meanwhile."""

log = get_logger("process")


def run(config: Config, reload: Callable[[], Config], parts: Parts | None = None) -> int:
    """Serve until a signal says stop; the exit status of the command.

    `reload` reads the configuration again, on SIGHUP; it raises ConfigError. `parts` is what runs inside the processes, by
    default the product. Must be called on the main thread of a process without other threads, because it forks.
    Raises: ConfigError, StartError before anything runs.
    """
    parts = parts or real_parts()
    parts.configure_logs(config)
    return Supervisor(prepare(config), reload, parts).run()


class Supervisor:
    """One run of the command: the crew that serves, and during a reload the one that is to replace it."""

    def __init__(self, first: Generation, reload: Callable[[], Config], parts: Parts) -> None:
        self._reload = reload
        self._parts = parts
        self._reactor = Reactor(self._signalled)
        self._tree = ProcessTree(self._reactor, parts, first)
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
        self._parts.announcer.done("ports", listening_text(self._current.generation.config))
        _report_rights(self._current.generation)
        self._tree.keeper.fill()
        self._current.start()
        self._patience = self._reactor.call_later(READY_TIMEOUT, self._report_slow_start)
        self._reactor.call_later(LIVE_PATIENCE, self._announce_meanwhile)
        while not self._advance():
            self._reactor.run_once()
        self._reactor.close()
        log.info("stopped")
        return 0

    def _advance(self) -> bool:
        """Take the step that the processes are ready for; whether everything has ended."""
        if self._stopping:
            return self._advance_stop()
        if self._incoming is not None:
            if self._incoming.is_ready:
                self._promote(self._incoming)
        elif self._reload_wanted:
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
            case signal.SIGHUP:
                self._reload_wanted = True  # also when one is going on: the file may have changed since it was read
            case signal.SIGUSR1:
                self._reopen_logs()
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
        self._tree.keeper.let_end()  # it may have been sent the same signal, with the whole group
        self._tree.retire_workers(seconds)
        for crew in (self._current, self._incoming):
            if crew is not None:
                close_listeners(crew.generation.listeners)
        if self._tree.keeper.is_retired:
            self._tree.keeper.retire(seconds)

    def _advance_stop(self) -> bool:
        """The keeper goes last: until then workers may need what it publishes."""
        if self._tree.workers:
            return False
        if not self._tree.keeper.is_retired:
            self._tree.keeper.retire(STOP_TIMEOUT)
        return self._tree.keeper.child is None

    # -- reload -------------------------------------------------------------------------------------------------------

    def _begin_reload(self) -> None:
        self._reload_wanted = False
        generation = self._prepare_next()
        if generation is None:
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
        self._tree.tell_moves(crew.generation.config)
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
        self._parts.configure_logs(current.config)
        self._tree.configure_keeper(current)

    def _replace_patience(self, call: Callable[[], None] | None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = None if call is None else self._reactor.call_later(READY_TIMEOUT, call)

    # -- words for the operator ---------------------------------------------------------------------------------------

    def _report_serving(self) -> None:
        self._has_served = True
        generation = self._current.generation
        log.info(
            "serving",
            generation=generation.number,
            addresses=[str(listener) for listener in generation.listeners],
            workers=generation.config.workers,
            pid=os.getpid(),
            after_seconds=round(time.monotonic() - self._began, 2),
        )

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


def _report_rights(generation: Generation) -> None:
    user = generation.config.user
    if os.geteuid() == 0 and not user:
        log.warning("workers run as root", fix="name an ordinary user for them: --user www-data")
    elif user and generation.account is None:
        log.warning("not started as root, workers keep the present user", user=user)
