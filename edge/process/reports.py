"""What the supervisor tells the operator: lines in the log, a person at a terminal, the service manager, and `edge upgrade`."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from msgspec import structs

from edge.config.schema import Config
from edge.errors import ConfigError, EdgeError, StartError
from edge.process.generation import Generation
from edge.process.notify import Notifier
from edge.process.pid_file import own_record, write_supervised
from edge.telemetry.announce import Announcer, listening_text
from edge.telemetry.logs import get_logger
from edge.telemetry.version import edge_version

log = get_logger("process")


class Reports:
    """The words of one supervisor. Made at its start: the version is read then, because an upgrade changes what is installed."""

    def __init__(self, announcer: Announcer, notifier: Notifier) -> None:
        self._announcer = announcer
        self._notifier = notifier
        self._record = own_record(edge_version())
        self._began = time.monotonic()
        self._is_live = False

    def beginning(self, generation: Generation) -> None:
        """The ports are ours, processes are about to start."""
        self._announcer.done("ports", listening_text(generation.config))
        _report_rights(generation)

    def serving(self, generation: Generation) -> None:
        """All workers of this generation accept connections."""
        log.info(
            "serving",
            generation=generation.number,
            addresses=[str(listener) for listener in generation.listeners],
            workers=generation.config.workers,
            pid=os.getpid(),
            after_seconds=round(time.monotonic() - self._began, 2),
        )

    def serves_alone(self, generation: Generation) -> None:
        """We are the main process of the service, and it is up (again)."""
        self._notifier.ready(self._status(generation))

    def live(self, config: Config) -> None:
        """To a person, once: workers serve, and browsers will not complain."""
        if not self._is_live:
            self._is_live = True
            self._announcer.live(config)

    def meanwhile(self, config: Config) -> None:
        """To a person who waits for certificates."""
        if not self._is_live:
            self._announcer.meanwhile(config)

    def stopping(self, seconds: float) -> None:
        """Nothing more is accepted, what is in flight has so long."""
        log.info("stopping", pid=os.getpid(), within_seconds=seconds)
        self._notifier.stopping()

    # -- reload -------------------------------------------------------------------------------------------------------

    def reload_asked(self) -> None:
        """The configuration is about to be read again."""
        self._notifier.reloading()

    def reloading(self, generation: Generation) -> None:
        """It is good, new workers start."""
        log.info("reloading", generation=generation.number)
        self._began = time.monotonic()

    def reload_refused(self, problem: Exception, current: Generation) -> None:
        """It is not, and nothing changes."""
        if not isinstance(problem, EdgeError):
            log.error("reload failed", exc_info=problem)
        hints = problem.hints if isinstance(problem, StartError) else ()
        complaints = problem.complaints if isinstance(problem, ConfigError) else [str(problem)]
        log.error("reload refused, serving as before", complaints=complaints, hints=hints)
        self._notifier.ready(f"the last reload was refused; {self._status(current)}")

    def reload_given_up(self, late: Generation, current: Generation) -> None:
        """Its workers did not become ready in time."""
        log.error("new workers do not become ready, serving as before", generation=late.number)
        self._notifier.ready(f"the last reload failed; {self._status(current)}")

    # -- upgrade ------------------------------------------------------------------------------------------------------

    def record(self, storage: str) -> None:
        """For `edge upgrade`: who runs."""
        write_supervised(storage, self._record)

    def upgrading(self) -> None:
        """A new edge is about to be started."""
        log.info("upgrading", pid=os.getpid(), version=self._record.version)

    def upgrade_refused(self, complaints: Sequence[str], storage: str) -> None:
        """It did not come to serve."""
        log.error("upgrade refused, serving as before", complaints=list(complaints))
        self._record = structs.replace(self._record, refusals=self._record.refusals + 1, complaints=tuple(complaints))
        self.record(storage)

    def handing_over(self, pid: int, seconds: float) -> None:
        """It serves, and is the main process of the service."""
        log.info("handing over", to_pid=pid, within_seconds=seconds)
        self._notifier.replaced_by(pid)

    def _status(self, generation: Generation) -> str:
        config = generation.config
        return f"edge {self._record.version}, {listening_text(config)}, {config.workers} workers"


def sentences(problem: EdgeError) -> tuple[str, ...]:
    """The problem for an operator, with what to do."""
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
