"""The access log's file: made before workers need it, and noticed when it is no longer the one that they write to.

Tools that rotate logs rename the file and may send a signal (SIGUSR1) or none. The supervisor looks once a second at what the
name leads to; a file that was moved away, deleted or replaced is made anew where it is missing, and all workers open it. Until
then their lines go to the old file, so none is lost. The supervisor makes it because workers may not be allowed to.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Final

from edge.errors import StartError
from edge.process.generation import Generation
from edge.process.provisions import provide_access_log
from edge.process.reactor import Reactor
from edge.telemetry.access_log import OFF, STANDARD_OUTPUT
from edge.telemetry.logs import get_logger

INTERVAL: Final = 1.0
"""Seconds. As quickly as edge notices other changed files."""

log = get_logger("process")


class LogWatch:
    """Calls `reopen` when every worker must open the access log anew. The file is kept open, so that a new one cannot get the
    inode number of the old one."""

    def __init__(self, reactor: Reactor, reopen: Callable[[], None]) -> None:
        self._reactor = reactor
        self._reopen = reopen
        self._generation: Generation | None = None
        self._where = OFF
        self._descriptor = -1
        self._is_looking = False
        self._has_complained = False
        reactor.closers.append(self._let_go)

    def watch(self, generation: Generation) -> None:
        """From now on this one's log. Call it before its workers open the file: they may then open a newer one than we know,
        which costs nothing, but never an older one, which nobody would notice."""
        self._generation = generation
        where = generation.config.log.access
        if where != self._where:
            is_first, self._where = self._descriptor < 0, where
            self._remember()
            if not is_first:
                self._reopen()  # it may have been rotated while the log of a failed reload was watched
        if not self._is_looking and self._is_file:
            self._is_looking = True
            self._reactor.call_later(INTERVAL, self._look)

    def renew(self) -> None:
        """Make the file if it is missing, and have it opened: somebody says that the old one was renamed."""
        if self._generation is None:
            return
        try:
            provide_access_log(self._where, self._generation.account)
        except StartError as problem:
            if not self._has_complained:
                log.error("access log cannot be made anew", problem=str(problem), hints=problem.hints)
            self._has_complained = True  # and the workers keep what they have
            return
        self._has_complained = False
        self._remember()
        self._reopen()

    @property
    def _is_file(self) -> bool:
        return self._where not in (OFF, STANDARD_OUTPUT)

    def _look(self) -> None:
        self._is_looking = self._is_file
        if not self._is_looking:
            return
        self._reactor.call_later(INTERVAL, self._look)
        if self._is_another():
            if not self._has_complained:
                log.info("access log was moved, opening it anew", file=self._where)
            self.renew()

    def _is_another(self) -> bool:
        try:
            return self._descriptor < 0 or not os.path.samestat(os.stat(self._where), os.fstat(self._descriptor))  # noqa: PTH116  # beside fstat
        except OSError:
            return True

    def _remember(self) -> None:
        self._let_go()
        if self._is_file:
            with contextlib.suppress(OSError):
                self._descriptor = os.open(self._where, os.O_PATH | os.O_CLOEXEC)

    def _let_go(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
