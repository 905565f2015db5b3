"""The new edge, as the old one sees it: a process that runs the same command line with the code that is installed now."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import IO, Any, Final

import msgspec

from edge.net.adopting import GivenSocket
from edge.net.listening import ListeningSocket
from edge.process.channel import Channel, new_pair
from edge.process.handover import (
    CAPTURE_LIMIT,
    HandedSocket,
    Handover,
    Prepared,
    Proceed,
    Refused,
    Serving,
    ToNew,
    ToOld,
)
from edge.process.inheritance import HANDOVER
from edge.process.notify import Notifier
from edge.process.reactor import Reactor
from edge.telemetry.terminal import printable

LAST_WORDS: Final = 3
"""Lines of what it wrote that are quoted; the last line of a traceback names the cause."""


class Successor:
    """A process that is to take over. Reap it after SIGCHLD. Raises: OSError when it cannot be started."""

    def __init__(
        self,
        reactor: Reactor,
        listeners: tuple[ListeningSocket, ...],
        managed: tuple[GivenSocket, ...],
        notifier: Notifier,
    ) -> None:
        self.is_prepared = False
        self.is_serving = False
        self.complaints: list[str] = []
        self._reactor = reactor
        with contextlib.ExitStack() as undo:
            self._said: IO[bytes] = undo.enter_context(os.fdopen(os.memfd_create("standard-error"), "rb"))
            ours, theirs = map(undo.enter_context, new_pair())
            self._process = _start(theirs.fileno(), self._said, listeners, managed, notifier)
            theirs.close()
            undo.pop_all()
        self.channel: Channel[ToOld, ToNew] = Channel(ours, ToOld)
        reactor.watch(self.channel, self._hear)

    def __repr__(self) -> str:
        return f"<Successor pid={self.pid} {'serving' if self.is_serving else 'starting'}>"

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def is_gone(self) -> bool:
        """Whether it has ended. Then `complaints` say why."""
        return self._process.returncode is not None

    def proceed(self) -> None:
        """No keeper works any more."""
        self.channel.send(Proceed())

    def release(self) -> None:
        """It is alone from now on. Harmless when said again."""
        self._reactor.forget(self.channel)

    def stop(self) -> None:
        """End it in its orderly way."""
        if not self.is_gone:
            self._process.terminate()

    def kill(self) -> None:
        """End it."""
        if not self.is_gone:
            self._process.kill()

    def reap(self) -> None:
        """Notice whether it has ended, and why."""
        if self.is_gone or self._process.poll() is None:
            return
        self._hear()  # what it said last
        self.release()
        if not self.complaints:
            self.complaints = [
                *self._last_words(),
                f"the new edge {_ending(self._process.returncode)} before it served",
            ]
        self._said.close()

    def _hear(self) -> None:
        if self.channel.fileno() < 0:
            return
        for message, _ in self.channel.receive():
            match message:
                case Prepared():
                    self.is_prepared = True
                case Serving():
                    self.is_serving = True
                case Refused(complaints):
                    self.complaints = [printable(each) for each in complaints]
        if not self.channel.is_open:
            self.release()  # whether it has ended is for SIGCHLD to say

    def _last_words(self) -> list[str]:
        text = os.pread(self._said.fileno(), CAPTURE_LIMIT, 0).decode(errors="replace")
        lines = [printable(line.strip()) for line in text.splitlines() if line.strip()]
        return [line.removeprefix("edge: ") for line in lines[-LAST_WORDS:]]


def _start(
    channel: int,
    said: IO[bytes],
    listeners: tuple[ListeningSocket, ...],
    managed: tuple[GivenSocket, ...],
    notifier: Notifier,
) -> subprocess.Popen[Any]:
    """The command line of this process, once more. Raises: OSError."""
    shown: tuple[ListeningSocket | GivenSocket, ...] = managed or listeners
    sockets = tuple(HandedSocket(each.sock.fileno(), getattr(each, "name", "")) for each in shown)
    standard_error = os.dup(2)
    try:
        handover = Handover(os.getpid(), channel, standard_error, sockets, is_managed=bool(managed))
        return subprocess.Popen(  # noqa: S603  # the command line of this very process
            [sys.executable, *sys.orig_argv[1:]],
            env={**os.environ, **notifier.environment(), HANDOVER: msgspec.json.encode(handover).decode()},
            pass_fds=[channel, standard_error, *(each.descriptor for each in sockets)],
            stderr=said,
        )
    finally:
        os.close(standard_error)


def _ending(code: int) -> str:
    return f"ended with exit status {code}" if code >= 0 else f"was ended by signal {-code}"
