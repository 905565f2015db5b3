"""A place in the process tree that is kept filled: when its process dies, another one is started, sooner or later.

A slot ends only by `retire`. Whatever its process does, crash at once, crash for ever, hang or talk nonsense, the supervisor
goes on.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any, Final

from edge.process.channel import Channel
from edge.process.messages import Certified, Drain, Ready, Stopped, ToSupervisor
from edge.process.reactor import Reactor, Timer
from edge.process.restart_backoff import RestartBackoff
from edge.process.spawn import EXIT_CANNOT_START
from edge.telemetry.logs import get_logger

KILL_GRACE: Final = 1.0
"""Between the deadline that a process was given to end by itself and SIGKILL."""

log = get_logger("process")


class Child:
    """A live process of ours. Until it is reaped its pid cannot belong to anybody else, so it can be killed safely."""

    def __init__(self, role: str, number: int, pid: int, channel: Channel[ToSupervisor, Any]) -> None:
        self.role = role
        self.number = number
        self.pid = pid
        self.channel = channel
        self.started = time.monotonic()
        self.is_ready = False
        self.is_certified = False
        self.accepts = role == "worker"
        """Whether visitors may still be let in by it: until it has said that it stopped."""
        self.is_leaving = False
        """Whether it was told to end."""
        self.heard = self.started
        """When it last said anything."""

    def __repr__(self) -> str:
        return f"<{self.role} {self.number} pid={self.pid} {'ready' if self.is_ready else 'starting'}>"

    def kill(self) -> None:
        """End it at once; its slot will notice."""
        os.kill(self.pid, signal.SIGKILL)


class Slot:
    """Keeps one process running. `start` forks it and may raise OSError."""

    def __init__(self, role: str, reactor: Reactor, start: Callable[[], Child]) -> None:
        self.child: Child | None = None
        self._role = role
        self._reactor = reactor
        self._start = start
        self._backoff = RestartBackoff()
        self._refill: Timer | None = None
        self._wanted = True
        self._retired = False

    def __repr__(self) -> str:
        return f"<Slot {self.child or 'empty'}{' retired' if self._retired else ''}>"

    @property
    def is_ready(self) -> bool:
        """Whether a process is there and has said that it does its work."""
        return self.child is not None and self.child.is_ready

    @property
    def is_retired(self) -> bool:
        """Whether the process has been told to end."""
        return self._retired

    def fill(self) -> None:
        """Start a process; a machine that cannot fork now is asked again later."""
        try:
            child = self._start()
        except OSError as problem:
            delay = self._backoff.delay(0.0, was_ready=False)
            log.error("cannot fork", child=self._role, problem=str(problem), again_in_seconds=delay)
            self._refill = self._reactor.call_later(delay, self.fill)
            return
        self.child = child
        self._reactor.watch(child.channel, lambda: self._hear(child))

    def let_end(self) -> None:
        """Start no other process here."""
        self._wanted = False
        if self._refill is not None:
            self._refill.cancel()

    def retire(self, seconds: float) -> None:
        """Tell the process to end within `seconds`, then kill it; start no other. Said again, the earlier deadline counts."""
        self.let_end()
        self._retired = True
        child = self.child
        if child is not None:
            child.is_leaving = True
            child.channel.send(Drain(seconds))
            self._reactor.call_later(seconds + KILL_GRACE, lambda: self._kill_late(child))

    def resume(self) -> None:
        """Keep the place filled again after `retire`; a process that is still ending is replaced when it has ended."""
        self._wanted, self._retired = True, False
        if self.child is None:
            self.fill()

    def reap(self) -> None:
        """Notice that the process has ended, and arrange for the next one."""
        child = self.child
        if child is None:
            return
        pid, status = os.waitpid(child.pid, os.WNOHANG)
        if pid == 0:
            return
        self.child = None
        self._hear(child)  # what it said last
        self._reactor.forget(child.channel)
        if self._wanted and child.is_leaving:
            self.fill()
        elif self._wanted:
            self._replace(child, os.waitstatus_to_exitcode(status))

    def _replace(self, dead: Child, code: int) -> None:
        lived = time.monotonic() - dead.started
        delay = self._backoff.delay(lived, was_ready=dead.is_ready)
        event = "process cannot start" if code == EXIT_CANNOT_START else "process ended unexpectedly"
        log.error(
            event,
            child=self._role,
            child_pid=dead.pid,
            cause=_cause(code),
            lived_seconds=round(lived, 1),
            again_in_seconds=delay,
        )
        self._refill = self._reactor.call_later(delay, self.fill)

    def _hear(self, child: Child) -> None:
        for message, _ in child.channel.receive():
            child.heard = time.monotonic()
            match message:
                case Ready():
                    child.is_ready = True
                case Certified():
                    child.is_certified = True
                case Stopped():
                    child.accepts = False
        if not child.channel.is_open:
            self._reactor.forget(child.channel)
            self._kill(child)  # it is ending anyway, or can no longer be told anything

    def _kill_late(self, child: Child) -> None:
        if self.child is child:
            log.warning("process does not end, killing it", child=self._role, child_pid=child.pid)
            self._kill(child)

    def _kill(self, child: Child) -> None:
        if self.child is child:
            child.kill()


def _cause(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:  # a real-time signal
        return f"signal {-code}"
