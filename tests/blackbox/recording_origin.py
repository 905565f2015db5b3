"""An origin that writes down every byte it is sent, so that tests can see exactly what edge forwards."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"


class RecordingOrigin:
    """Listens on a free port, or on `port`; answers each complete request head (and its Content-Length body) with `answer`."""

    def __init__(self, answer: bytes = OK, port: int = 0) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.connections = 0
        self._listening = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._open: set[socket.socket] = set()

    def __enter__(self) -> RecordingOrigin:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Refuse connections from now on and end those that are open. Calling it twice is harmless."""
        if self._listening.fileno() < 0:
            return
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for sock in list(self._open):
            with contextlib.suppress(OSError):  # closed meanwhile
                sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    def _accept(self) -> None:
        threads = []
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                break
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join(5)

    def _serve(self, sock: socket.socket) -> None:
        self._open.add(sock)
        with sock:
            buffer = b""
            while True:
                try:
                    data = sock.recv(65536)
                except OSError:
                    break
                if not data:
                    break
                buffer += data
                while (end := self._request_end(buffer)) is not None:
                    self.requests.append(buffer[:end])
                    buffer = buffer[end:]
                    with contextlib.suppress(OSError):  # edge has given up; what it sent counts nevertheless
                        sock.sendall(self.answer)
            if buffer:
                self.requests.append(buffer)  # an incomplete one counts as seen
        self._open.discard(sock)

    @staticmethod
    def _request_end(buffer: bytes) -> int | None:
        head, separator, rest = buffer.partition(b"\r\n\r\n")
        if not separator:
            return None
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return len(head) + 4 + length if len(rest) >= length else None
