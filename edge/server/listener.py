"""Accepting connections from a listening socket that several workers share.

Overload is expected: out of descriptors or memory, accepting pauses and existing connections go on; the kernel's backlog holds
newcomers meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable
from typing import Final

from edge.telemetry.logs import get_logger

log = get_logger("server")

ACCEPTS_PER_TURN: Final = 16
"""Connections taken in a row before others get their turn, so that workers share what arrives."""

MAX_BACKLOG: Final = 1024
"""Connections taken at most in one go when accepting ends: whoever is in the queue then would be reset otherwise."""

PAUSE: Final = 0.5
"""Seconds without accepting after the machine ran out of something. nginx 0.5 s."""

EXHAUSTED: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


class Listener:
    """Hands accepted, non-blocking sockets to `accepted`."""

    def __init__(
        self, sock: socket.socket, accepted: Callable[[socket.socket], None], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._sock = sock
        self._accepted = accepted
        self._loop = loop
        self._resume: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Listener {self._sock.getsockname()}{' paused' if self._resume else ''}>"

    def start(self) -> None:
        """Begin accepting."""
        self._resume = None
        self._loop.add_reader(self._sock.fileno(), self._on_readable)

    def stop(self) -> None:
        """Take what the kernel has already accepted for us, then no more; the socket stays open for others."""
        self._watch_no_longer()
        with contextlib.suppress(OSError):
            for _ in range(MAX_BACKLOG):
                self._take_one()

    def _watch_no_longer(self) -> None:
        if self._resume is not None:
            self._resume.cancel()
            self._resume = None
        self._loop.remove_reader(self._sock.fileno())

    def _on_readable(self) -> None:
        try:
            for _ in range(ACCEPTS_PER_TURN):
                self._take_one()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            self._pause(error)

    def _take_one(self) -> None:
        sock, _address = self._sock.accept()
        sock.setblocking(False)
        with contextlib.suppress(OSError):  # the peer may be gone already; reading will tell
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._accepted(sock)

    def _pause(self, error: OSError) -> None:
        if error.errno in EXHAUSTED:
            log.warning("accepting paused", reason=errno.errorcode[error.errno or 0], seconds=PAUSE)
        self._watch_no_longer()
        self._resume = self._loop.call_later(PAUSE, self.start)
