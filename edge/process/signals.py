"""Signals as data: the kernel's interruptions become numbers that are read from a socket when the time is right.

Handlers would run between any two bytecodes of a program that forks and keeps books about processes. Here they do nothing;
the interpreter's wakeup descriptor carries the signal number to the poll loop.
"""

from __future__ import annotations

import signal
import socket
from types import FrameType
from typing import Final

HEARD: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD)
"""What the supervisor listens to."""

LEFT_TO_THE_SUPERVISOR: Final = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""What a child ignores: terminals and log rotation send them to the whole group, the supervisor translates."""


class SignalInbox:
    """Collects the signals of this process from now on."""

    def __init__(self) -> None:
        self._inbox, self._wakeup = socket.socketpair()
        self._inbox.setblocking(False)
        self._wakeup.setblocking(False)
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        for number in HEARD:
            signal.signal(number, _no_action)

    def fileno(self) -> int:
        """Readable when signals have come."""
        return self._inbox.fileno()

    def receive(self) -> list[signal.Signals]:
        """The signals since the last call, in order."""
        try:
            return [signal.Signals(number) for number in self._inbox.recv(4096)]
        except BlockingIOError:
            return []

    def close(self) -> None:
        """Hear no more. The signals have no effect from now on: one that comes late must not spoil an orderly exit.

        They are ignored, because the interpreter gives up handlers of ours while it ends."""
        signal.set_wakeup_fd(-1)
        for number in HEARD:
            if number != signal.SIGCHLD:  # ignored, it would make children vanish unseen
                signal.signal(number, signal.SIG_IGN)
        self._inbox.close()
        self._wakeup.close()


def reset_in_child() -> None:
    """Leave to the supervisor what it will translate; SIGTERM ends the process until its shell handles it."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in LEFT_TO_THE_SUPERVISOR:
        signal.signal(number, signal.SIG_IGN)


def _no_action(_number: int, _frame: FrameType | None) -> None:
    """Installed so that the interpreter writes the number to the wakeup descriptor."""
