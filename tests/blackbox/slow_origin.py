"""An origin that answers when the test says so."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self

from tests.blackbox.load import PATIENCE


class SlowOrigin:
    """Takes connections and requests; each is answered once `answer` has been called."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._arrived = threading.Semaphore(0)
        self._may_answer = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._handlers: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._may_answer.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        for handler in self._handlers:
            handler.join(PATIENCE)
        self._listening.close()

    def wait_request(self) -> None:
        """Until one more request has come."""
        assert self._arrived.acquire(timeout=PATIENCE), "no request came"

    def answer(self) -> None:
        """Answer all that wait, and from now on at once."""
        self._may_answer.set()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            handler = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            handler.start()
            self._handlers.append(handler)

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            sock.settimeout(PATIENCE)
            try:
                while self._take_request(sock):
                    self._arrived.release()
                    self._may_answer.wait(4 * PATIENCE)
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nslow\n")
            except OSError:
                return  # edge has left

    @staticmethod
    def _take_request(sock: socket.socket) -> bool:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            data = sock.recv(65536)
            if not data:
                return False
            head += data
        return True
