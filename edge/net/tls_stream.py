"""A byte stream over a non-blocking `ssl.SSLSocket`: no memory BIOs, no second buffer.

OpenSSL without read-ahead keeps no byte behind a record, and one read takes a whole record, so a level-triggered poll on the
descriptor is enough. After "want write" the same bytes are offered first; Python switches on partial writes and moving
buffers, so a queue of memoryviews will do.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import ClassVar, Protocol

from edge.http.exchange import Buffer
from edge.http.limits import WRITE_SLICE
from edge.net.socket_stream import READ_SIZE, READS_PER_TURN, SocketStream, reason_of
from edge.net.stream import StreamListener


class _Session(Protocol):
    """OpenSSL's side of an `ssl.SSLSocket`."""

    def read(self, size: int) -> bytes:
        """The next record's plaintext, `size` bytes of it at most."""

    def write(self, data: Buffer) -> int:
        """How many bytes went."""


class TLSStream(SocketStream):
    """The server side of a TLS connection. `start` begins the handshake; `stream_opened` follows its success."""

    __slots__ = ("_session", "tls")

    tls: ssl.SSLSocket
    _session: _Session
    """What `tls` passes reads and writes on to. Going there directly spares two interpreted calls for each of them; the name is
    private, but has been the same for many versions of Python."""

    _needs_goodbye: ClassVar[bool] = False
    """Whether an end without close_notify is an error. It is not for visitors: many leave like that."""

    def __init__(
        self,
        sock: socket.socket,
        listener: StreamListener,
        loop: asyncio.AbstractEventLoop,
        context: ssl.SSLContext,
    ) -> None:
        self._adopt(context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False), listener, loop)

    def _adopt(self, tls: ssl.SSLSocket, listener: StreamListener, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(tls, listener, loop)
        self.tls = tls

    # -- handshake ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin the handshake."""
        self._loop.add_reader(self._fd, self._on_handshake)

    def _on_handshake(self) -> None:
        if self.share is not None and (not self.share.take(self._on_handshake) or self.lost):
            return
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._stop_writing()
            return
        except ssl.SSLWantWriteError:
            if not self._writing:
                self._writing = True
                self._loop.add_writer(self._fd, self._on_handshake)
            return
        except OSError as error:
            # ssl.SSLError is an OSError; its text holds the peer's bytes and is not passed on.
            self._reading = True  # the handshake's reader is registered: let `_lose` remove it
            self._lose(self._handshake_word(error))
            return
        self._stop_writing()
        self._reading = True
        self._loop.add_reader(self._fd, self._on_readable)
        self.last_progress = self._loop.time()
        self._session = self.tls._sslobj  # type: ignore[attr-defined]  # private, see there
        self.listener.stream_opened()

    @staticmethod
    def _handshake_word(error: OSError) -> str:  # noqa: ARG004  # visitors' errors are all alike to us
        return "handshake-failed"

    def _lose(self, reason: str) -> None:
        if not self.lost:  # else the number may be another connection's by now
            self._loop.remove_reader(self._fd)
            super()._lose(reason)

    # -- reading and writing ------------------------------------------------------------------------------------------

    def _on_readable(self) -> None:
        if self.share is not None and not (self.share.take(self._on_readable) and self._reading):
            return
        for _ in range(READS_PER_TURN):
            try:
                # After our goodbye only the end matters: what still comes is thrown away undeciphered.
                data = socket.socket.recv(self.tls, READ_SIZE) if self._closing else self._session.read(READ_SIZE)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                return
            except ssl.SSLEOFError:
                if self._needs_goodbye:
                    self._lose("tls-error")
                    return
                data = b""
            except ssl.SSLError:
                self._lose("tls-error")
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

    def _send(self, view: Buffer) -> int:
        try:
            return self._session.write(view if len(view) <= WRITE_SLICE else memoryview(view)[:WRITE_SLICE])
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return 0

    # -- ending -------------------------------------------------------------------------------------------------------

    def _say_goodbye(self) -> None:
        if not self._linger and not self.lost:
            self._send_close_notify()
        super()._say_goodbye()

    def _finish_output(self) -> None:
        self._send_close_notify()
        super()._finish_output()

    def _send_close_notify(self) -> None:
        # `unwrap` sends close_notify, then wants the peer's; that one is not waited for (RFC 8446 §6.1 allows it).
        with contextlib.suppress(OSError, ValueError):
            self.tls.unwrap()
