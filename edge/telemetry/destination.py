"""A place to write lines to without ever waiting for whoever reads them.

regular file    opened O_APPEND: the kernel keeps the writes of several workers apart, whatever their size
pipe, terminal  opened anew without blocking, so that nobody else who has the same standard output notices; writes up to
                PIPE_BUF are kept apart (pipe(7))
                as standard output (`> edge.log 2>&1`) it is shared, because it is written with one offset by all who have it: our
                own log lines on standard error, say, which a writer at the end of the file would be overwritten by
socket          systemd gives services one as standard output; sent to with MSG_DONTWAIT
"""

from __future__ import annotations

import os
import select
import socket
import stat
import sys
from typing import Final, Protocol

ATOMIC_WRITE: Final = select.PIPE_BUF
"""Bytes that a pipe takes whole or not at all; 4096 on Linux."""

MODE: Final = 0o640
"""Of a new log file: the administrators' group may read it, others may not see who visited."""


class Destination(Protocol):
    """An open place. `largest_write` is how much one write may hold so that lines of several workers do not mix."""

    largest_write: int
    is_terminal: bool

    def write_nowait(self, data: bytes) -> None:
        """All of it, now. Raises: BlockingIOError when there is no room, any other OSError when there will be none."""

    def close(self) -> None:
        """Give the descriptor back."""


def open_file(path: str) -> Destination:
    """A file that is appended to and created when missing; a named pipe or a device serves as well. Raises: OSError."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
    return _destination(os.open(path, flags, MODE))


def open_standard_output(descriptor: int = 1) -> Destination:
    """What the descriptor refers to, as a destination with a descriptor of its own. Raises: OSError."""
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISSOCK(kind):
        return _Socket(socket.socket(fileno=os.dup(descriptor)))
    if stat.S_ISREG(kind):
        return _File(os.dup(descriptor))
    try:
        again = os.open(
            f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
        )
    except OSError:  # opened by another user before privileges were dropped, or no /proc
        again = os.dup(descriptor)
    return _destination(again)


def _destination(descriptor: int) -> Destination:
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return _File(descriptor)
    return _Pipe(descriptor)


class _File:
    largest_write = sys.maxsize
    is_terminal = False

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write_nowait(self, data: bytes) -> None:
        written = os.write(self._descriptor, data)
        if written < len(data):  # the disk filled up half way: the rest says why
            os.write(self._descriptor, data[written:])

    def close(self) -> None:
        os.close(self._descriptor)


class _Pipe:
    """A pipe or terminal. Where it could only be duplicated it may block, so it is asked for room first."""

    largest_write = ATOMIC_WRITE

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self.is_terminal = os.isatty(descriptor)

    def write_nowait(self, data: bytes) -> None:
        if not self._poll.poll(0):
            raise BlockingIOError("no room")
        written = os.write(self._descriptor, data)
        if written < len(data):  # only a terminal takes parts; it is fast enough to take the rest, or loses it
            os.write(self._descriptor, data[written:])

    def close(self) -> None:
        os.close(self._descriptor)


class _Socket:
    largest_write = ATOMIC_WRITE
    is_terminal = False

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def write_nowait(self, data: bytes) -> None:
        self._socket.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    def close(self) -> None:
        self._socket.close()
