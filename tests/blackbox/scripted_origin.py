"""An origin that does what a test tells it: each request runs a script, in a thread of its connection."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType

Script = Callable[[socket.socket, bytes], bool]
"""Gets a connection and a request head that was read from it; whether the connection may carry another request."""


class ScriptedOrigin:
    """Listens on a free port. `script` may be changed at any time and is in force for requests that come later."""

    def __init__(self, script: Script, port: int = 0) -> None:
        self.script = script
        self.accepted = 0
        """How many connections there have been."""
        self._listening = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._open: set[socket.socket] = set()

    def __enter__(self) -> ScriptedOrigin:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    @staticmethod
    def read_request(sock: socket.socket) -> bytes:
        """What a script gets of a request; empty at the end of the connection."""
        return read_head(sock)

    def _accept(self) -> None:
        threads = []
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                break
            self.accepted += 1
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.add(sock)
            threads.append(threading.Thread(target=self._serve, args=(sock,), daemon=True))
            threads[-1].start()
        for thread in threads:
            thread.join(5)

    def _serve(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            while head := self.read_request(sock):
                if not self.script(sock, head):
                    break
        self._open.discard(sock)


def read_head(sock: socket.socket) -> bytes:
    """One request head, and nothing behind it; empty at the end of the connection."""
    head = b""
    while True:
        seen = sock.recv(65536, socket.MSG_PEEK)
        if not seen:
            return b""
        end = (head + seen).find(b"\r\n\r\n")
        if end >= 0:
            return head + sock.recv(end + 4 - len(head))
        head += sock.recv(len(seen))


def answer(*pieces: bytes) -> Script:
    """Sends these pieces, each in one write, and keeps the connection."""

    def script(sock: socket.socket, head: bytes) -> bool:
        for piece in pieces:
            sock.sendall(piece)
        return True

    return script


def answer_and_close(*pieces: bytes) -> Script:
    """Sends these pieces, then closes in order."""

    def script(sock: socket.socket, head: bytes) -> bool:
        return not answer(*pieces)(sock, head)

    return script


def answer_and_reset(*pieces: bytes) -> Script:
    """Sends these pieces, then resets the connection."""

    def script(sock: socket.socket, head: bytes) -> bool:
        answer(*pieces)(sock, head)
        threading.Event().wait(0.02)  # or the reset overtakes what was written
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    return script
