"""A visitor with bare hands: raw bytes over TLS or plain TCP, and a strict reader of HTTP/1.1 responses."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

TIMEOUT = 10.0
"""Longer than anything that tests wait for: reaching it is a failure."""


class Response(NamedTuple):
    """One complete response. Interim ones are in `interim`."""

    status: int
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes
    interim: tuple[int, ...] = ()

    def field(self, name: bytes) -> bytes | None:
        """The only value of a field, or None; fails when there are several."""
        values = [value for key, value in self.fields if key == name]
        assert len(values) <= 1, values
        return values[0] if values else None


class Incomplete(Exception):
    """The connection ended, or nothing came, in the middle of a response; `seen` is what there was of it."""

    def __init__(self, reason: str, seen: bytes) -> None:
        super().__init__(reason, seen[:200])
        self.seen = seen


def client_context(*alpn: str) -> ssl.SSLContext:
    """Trusts everybody: who is who is tested elsewhere."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


_HTTP1 = client_context("http/1.1")


def dial(port: int, receive_buffer: int = 0, source: str = "127.0.0.1") -> socket.socket:
    """A TCP connection to a port on 127.0.0.1, from another address of this machine if there shall be several clients."""
    sock = socket.socket()
    sock.bind((source, 0))
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(TIMEOUT)
    sock.connect(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def dial_tls(
    port: int,
    name: str = "a.test",
    context: ssl.SSLContext = _HTTP1,
    receive_buffer: int = 0,
    source: str = "127.0.0.1",
) -> ssl.SSLSocket:
    """A TLS connection; HTTP/1.1 unless `context` offers something else. Only an orderly end (close_notify) reads as b""."""
    return context.wrap_socket(dial(port, receive_buffer, source), server_hostname=name, suppress_ragged_eofs=False)


class Visitor:
    """An HTTP/1.1 connection on which anything can be sent; a context manager."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.was_cut = False
        """Whether the connection ended without a goodbye."""
        self._buffer = b""

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, *pieces: bytes) -> Visitor:
        """Each piece is one write. A connection that edge has closed meanwhile is no error: its answer can still be read."""
        with contextlib.suppress(OSError):
            for piece in pieces:
                self.sock.sendall(piece)
        return self

    def read(self, method: bytes = b"GET") -> Response:
        """The next response. Raises: Incomplete."""
        interim: list[int] = []
        while True:
            status, fields = self._read_head()
            if status >= 200:
                break
            interim.append(status)
        return Response(status, fields, self._read_body(method, status, fields), tuple(interim))

    def read_head(self) -> tuple[int, tuple[tuple[bytes, bytes], ...]]:
        """Only the next head, interim or final. Raises: Incomplete."""
        return self._read_head()

    def read_through(self, mark: bytes) -> bytes:
        """Everything up to the end of `mark`, whatever the framing around it. Raises: Incomplete."""
        return self._take_until(mark)

    def read_some(self) -> bytes:
        """Whatever comes next; empty at the end of the connection."""
        if self._buffer:
            data, self._buffer = self._buffer, b""
            return data
        return self.sock.recv(65536)

    def is_closed(self) -> bool:
        """Whether edge closes the connection, in order or not, without another byte."""
        try:
            return self._at_end()
        except Incomplete:
            return False

    def read_until_closed(self) -> list[Response]:
        """All responses up to the end of the connection. Raises: Incomplete when one is not whole."""
        responses = []
        while not self._at_end():
            responses.append(self.read())
        return responses

    def _at_end(self) -> bool:
        if self._buffer:
            return False
        try:
            self._buffer = self.sock.recv(65536)
        except TimeoutError:
            raise Incomplete("timeout", b"") from None
        except OSError:
            self.was_cut = True
            return True
        return not self._buffer

    def _read_head(self) -> tuple[int, tuple[tuple[bytes, bytes], ...]]:
        head = self._take_until(b"\r\n\r\n")
        line, *lines = head[:-4].split(b"\r\n")
        version, status, _reason = line.split(b" ", 2)
        assert version == b"HTTP/1.1", line
        assert not any(byte in head for byte in (b"\0", b"\r\r", b"\n\n")), head
        fields = []
        for each in lines:
            name, colon, value = each.partition(b":")
            assert colon, each
            assert name == name.strip().lower(), each
            fields.append((name, value.strip()))
        return int(status), tuple(fields)

    def _read_body(self, method: bytes, status: int, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
        lengths = [int(value) for name, value in fields if name == b"content-length"]
        codings = [value for name, value in fields if name == b"transfer-encoding"]
        assert len(lengths) + len(codings) <= 1, fields
        if method == b"HEAD" or status in (204, 304):
            return b""
        if lengths:
            return self._take(lengths[0])
        if codings:
            return self._read_chunks()
        body = b""
        while not self._at_end():
            body, self._buffer = body + self._buffer, b""
        return body

    def _read_chunks(self) -> bytes:
        body = []
        while size := int(self._take_until(b"\r\n"), 16):
            body.append(self._take(size))
            assert self._take(2) == b"\r\n"
        assert self._take(2) == b"\r\n"
        return b"".join(body)

    def _take_until(self, mark: bytes) -> bytes:
        while (end := self._buffer.find(mark)) < 0:
            self._fill()
        end += len(mark)
        taken, self._buffer = self._buffer[:end], self._buffer[end:]
        return taken

    def _take(self, size: int) -> bytes:
        pieces: list[bytes] = []
        while size:
            if not self._buffer:
                self._fill(pieces)
            piece, self._buffer = self._buffer[:size], self._buffer[size:]
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _fill(self, seen: Sequence[bytes] = ()) -> None:
        """More of a response, of which `seen` has been taken out of the buffer."""
        try:
            data = self.sock.recv(65536)
        except OSError as error:
            raise Incomplete(type(error).__name__, b"".join(seen) + self._buffer) from error
        if not data:
            raise Incomplete("closed", b"".join(seen) + self._buffer)
        self._buffer += data


Way = Callable[[bytes], list[bytes]]
"""How a request is cut into writes."""


def whole(data: bytes) -> list[bytes]:
    """All in one write."""
    return [data]


def byte_by_byte(data: bytes) -> list[bytes]:
    """One byte a write, for the first and last hundred; what lies between tells nothing new."""
    middle = [data[100:-100]] if len(data) > 200 else []
    edges = (data[:100], data[max(100, len(data) - 100) :])
    first, last = ([each[index : index + 1] for index in range(len(each))] for each in edges)
    return [*first, *middle, *last]
