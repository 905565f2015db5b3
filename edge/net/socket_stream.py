"""A byte stream over a non-blocking socket, driven by reader and writer callbacks of the event loop.

There is no transport in between: one readiness callback is one `recv` and one `data_received`; `write` tries the socket at
once and keeps only what did not fit. `TLSStream` (tls_stream.py) replaces the three places that touch the socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections import deque
from typing import Any, Final

from edge.http.exchange import Buffer
from edge.http.limits import WRITE_SLICE
from edge.net.share import Share
from edge.net.stream import NOBODY, StreamListener

READ_SIZE: Final = 16 * 1024
"""One read: a whole TLS record, so that no decrypted byte ever stays hidden inside OpenSSL where no poll shows it."""

READS_PER_TURN: Final = 4
"""Full reads in a row before other connections get their turn."""

KEEP_ALIVE_IDLE: Final = 60
KEEP_ALIVE_INTERVAL: Final = 15
KEEP_ALIVE_PROBES: Final = 4
"""Seconds of silence before the first probe, seconds between probes, unanswered probes until the peer counts as gone. Also keeps
address translators on the way from forgetting a quiet connection; the kernel's own two hours are longer than they remember."""

REASONS: Final = {
    errno.ECONNREFUSED: "refused",
    errno.ENOENT: "no-such-socket",
    errno.EACCES: "permission",
    errno.EPERM: "permission",
    errno.ETIMEDOUT: "timeout",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EAGAIN: "backlog-full",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
}
"""Constant words for what the kernel says; anything else is "socket-error"."""


def reason_of(error: OSError) -> str:
    """The constant word for a socket error."""
    return REASONS.get(error.errno or 0, "socket-error")


class SocketStream:
    """A connected (or connecting) socket. Owns it: after `stream_lost` it is closed.

    Call `start` for a connected socket, `begin_connect` for a new one, once, before anything else.
    """

    __slots__ = (
        "_closing",
        "_ending",
        "_fd",
        "_linger",
        "_loop",
        "_queue",
        "_reading",
        "_writing",
        "last_progress",
        "listener",
        "lost",
        "share",
        "sock",
        "unsent",
        "write_error",
    )

    def __init__(self, sock: socket.socket, listener: StreamListener, loop: asyncio.AbstractEventLoop) -> None:
        self.sock = sock
        self.listener = listener
        self.lost = False
        self.last_progress = 0.0
        self._loop = loop
        self._fd = sock.fileno()
        self._queue: deque[memoryview] = deque()
        self.unsent = 0
        """Bytes accepted by `write` that have not left."""
        self.share: Share | None = None
        """What this socket is served within; None: at once."""
        self.write_error = ""
        """Why a write failed. The kernel tells a reset only once: what is read afterwards looks like an orderly end."""
        self._reading = False
        self._writing = False
        self._closing = False
        self._linger = False
        self._ending = False

    def __repr__(self) -> str:
        state = "lost" if self.lost else "closing" if self._closing else "open"
        return f"<{type(self).__name__} {state} fd={self._fd} unsent={self.unsent}>"

    @property
    def is_closing(self) -> bool:
        """Whether `close` or `abort` was called, or the socket is gone."""
        return self._closing

    # -- opening ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin with a connected socket: `stream_opened` is called, then data flows."""
        self._opened()

    def begin_connect(self, address: Any) -> None:
        """Connect to `address` (as `socket.connect` takes it); ends in `stream_opened` or `stream_lost`."""
        code = self.sock.connect_ex(address)
        if code == 0:
            self._opened()
        elif code == errno.EINPROGRESS:
            self._loop.add_writer(self._fd, self._on_connected)
            self._writing = True
        else:
            self._lose(REASONS.get(code, "socket-error"))

    def _on_connected(self) -> None:
        self._stop_writing()
        code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._lose(REASONS.get(code, "socket-error"))
        else:
            self._opened()

    def _opened(self) -> None:
        self.last_progress = self._loop.time()
        self.resume_reading()
        self.listener.stream_opened()

    # -- reading ------------------------------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        """No `data_received` until `resume_reading`."""
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._fd)

    def resume_reading(self) -> None:
        """Deliver data again."""
        if not self._reading and not self.lost:
            self._reading = True
            self._loop.add_reader(self._fd, self._on_readable)

    def _on_readable(self) -> None:
        if self.share is not None and not (self.share.take(self._on_readable) and self._reading):
            return
        for _ in range(READS_PER_TURN):
            try:
                data = self.sock.recv(READ_SIZE)
            except BlockingIOError:
                return
            except OSError as error:
                self._lose(reason_of(error))
                return
            try:
                if not data:
                    self._end_of_input()
                elif not self._closing:
                    self.listener.data_received(data)
            except Exception:
                self._give_up_on_listener()
                raise
            if len(data) < READ_SIZE or not self._reading:
                return

    def _give_up_on_listener(self) -> None:
        """A bug of ours: nobody will ever answer this peer, so it must not wait. The event loop logs what was raised."""
        self.abort()

    def _end_of_input(self) -> None:
        self.pause_reading()
        if self._closing:
            if not self.unsent:
                self._lose("")
        else:
            self.listener.eof_received()

    # -- writing ------------------------------------------------------------------------------------------------------

    def write(self, data: Buffer) -> bool:
        """Send now what the socket takes, keep the rest in order. True when nothing is left behind."""
        if self._closing or self.lost:
            return True
        if self._queue:
            self._enqueue(memoryview(data))
            return False
        view = data
        while True:
            try:
                sent = self._send(view)
            except OSError as error:
                # Not reported from inside `write`: the caller may be in the middle of its own work.
                self.write_error = reason_of(error)
                self._loop.call_soon(self._writing_failed, self.write_error)
                return True
            if sent == len(view):
                return True
            if sent:
                view = memoryview(view)[sent:]
            else:
                self._enqueue(memoryview(view))
                return False

    def _enqueue(self, view: memoryview) -> None:
        if not self._queue:
            self.last_progress = self._loop.time()
        self._queue.append(view)
        self.unsent += len(view)
        if not self._writing:
            self._writing = True
            self._loop.add_writer(self._fd, self._on_writable)

    def _send(self, view: Buffer) -> int:
        """Send a slice at most; how many bytes went, 0 when the socket is full."""
        try:
            return self.sock.send(view if len(view) <= WRITE_SLICE else memoryview(view)[:WRITE_SLICE])
        except BlockingIOError:
            return 0

    def _on_writable(self) -> None:
        queue = self._queue
        try:
            while queue:
                view = queue[0]
                sent = self._send(view)
                if not sent:
                    return
                self.unsent -= sent
                self.last_progress = self._loop.time()
                if sent == len(view):
                    queue.popleft()
                else:
                    queue[0] = view[sent:]
        except OSError as error:
            self._writing_failed(reason_of(error))
            return
        self._stop_writing()
        if self._closing:
            self._say_goodbye()
            return
        if self._ending:
            self._finish_output_or_lose()
        try:
            self.listener.stream_drained()
        except Exception:
            self._give_up_on_listener()
            raise

    def _writing_failed(self, reason: str) -> None:
        # What the peer said before it went away may still be readable: an origin that refuses an upload answers 413, closes
        # with our bytes unread, and its kernel sends a reset behind the answer.
        if self._reading and not self._closing:
            self._on_readable()
        self._lose(reason)

    def _stop_writing(self) -> None:
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._fd)

    # -- ending -------------------------------------------------------------------------------------------------------

    def end_output(self) -> None:
        """Send what is left, then tell the peer that nothing follows; reading goes on. Nothing may be written afterwards."""
        if self._closing or self._ending:
            return
        self._ending = True
        if not self._queue:
            self._loop.call_soon(self._finish_output_or_lose)

    def keep_alive(self) -> None:
        """Have the kernel ask now and then whether the peer still exists, for streams that may be silent for hours."""
        with contextlib.suppress(OSError):  # a unix socket has no network to lose its peer in
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEP_ALIVE_IDLE)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEP_ALIVE_INTERVAL)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEP_ALIVE_PROBES)

    def close(self, *, linger: bool = False) -> None:
        """Send what is left, say goodbye, then close.

        `linger`: keep reading (and throwing away) until the peer has closed too. Closing a socket with unread input makes
        the kernel send a reset, which can destroy the response before the peer has read it (RFC 9112 §9.6). Whoever
        lingers needs a deadline after which it calls `abort`.
        """
        if self._closing or self.lost:
            return
        self._closing = True
        self._linger = linger
        if linger:
            self.resume_reading()
        else:
            self.pause_reading()
        if not self._queue:
            # From the loop, so that `stream_lost` never happens inside the caller's own work.
            self._loop.call_soon(self._say_goodbye)

    def _say_goodbye(self) -> None:
        if self.lost:
            return
        if self._linger:
            self._finish_output_or_lose()
        else:
            self._lose("")

    def _finish_output_or_lose(self) -> None:
        if self.lost:
            return
        try:
            self._finish_output()
        except OSError as error:
            self._lose(reason_of(error))

    def _finish_output(self) -> None:
        """Tell the peer that nothing follows, keeping the socket open for reading."""
        self.sock.shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        """Close now; unsent bytes are lost, the peer sees a reset."""
        if self.lost:
            return
        with contextlib.suppress(OSError):  # already reset by the peer
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._lose("aborted")

    def _lose(self, reason: str) -> None:
        if self.lost:
            return
        self.lost = True
        self._closing = True
        self.pause_reading()
        self._stop_writing()
        self._queue.clear()
        self.unsent = 0
        self.sock.close()
        listener, self.listener = self.listener, NOBODY  # the two know each other: a collector would come late
        listener.stream_lost(reason)
