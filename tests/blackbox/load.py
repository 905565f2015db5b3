"""Visitors that keep coming: threads that ask without pause until told to stop, and keep every failure.

    with KeepAliveLoad(port, "localhost") as load: …       requests over HTTP/1.1 connections that are used again
    with Http2Load(port, "localhost") as load: …           the same over HTTP/2
    with HandshakeLoad(port, "a.test") as load: …          a new handshake each time; which certificates were shown

A client here retries nothing that it would not be allowed to retry: an HTTP/2 request above the last stream of a GOAWAY (RFC 9113
§6.8) goes out again, every other request without a whole answer is a failure.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from types import TracebackType
from typing import Self

import hpack
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

PATIENCE = 15.0
"""Seconds in which every single answer must have come."""


def trusting(alpn: str = "", root: bytes | None = None) -> ssl.SSLContext:
    """A client's context: with `root` (PEM) it checks chain and name, without it takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if alpn:
        context.set_alpn_protocols([alpn])
    if root is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(cadata=root.decode())
    return context


class Load:
    """`clients` threads that call `visit` again and again. `answered` and `failures` may be read at any time.

    `pause` are seconds between two questions of a client: what is tested are the moments of change, not the machine."""

    pause = 0.002

    def __init__(self, port: int, name: str, *, target: str = "/", clients: int = 3, root: bytes | None = None) -> None:
        self.port = port
        self.name = name
        self.target = target
        self.root = root
        self.answered = 0
        self.failures: list[str] = []
        self.stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stopped.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE)
            assert not thread.is_alive(), "a client hangs"

    def visit(self) -> None:
        """As many requests as one connection takes; adds to `answered`. Raises whatever goes wrong."""
        raise NotImplementedError

    def wait_answered(self, more: int) -> None:
        """Until so many more answers have come."""
        wanted, deadline = self.answered + more, time.monotonic() + PATIENCE
        while self.answered < wanted:
            assert time.monotonic() < deadline, f"only {self.answered} of {wanted} answers; {self.failures[:3]}"
            time.sleep(0.005)

    def connect(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        """A new connection for this load's server name."""
        sock = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        try:
            return context.wrap_socket(sock, server_hostname=self.name)
        except BaseException:
            sock.close()
            raise

    def _run(self) -> None:
        while not self.stopped.is_set():
            try:
                self.visit()
            except Exception as failure:
                self.failures.append(f"{type(failure).__name__}: {failure}")
                time.sleep(0.01)


class KeepAliveLoad(Load):
    """HTTP/1.1: one request after the other on the same connection, until the server says `connection: close`."""

    def visit(self) -> None:
        """See Load.visit."""
        request = f"GET {self.target} HTTP/1.1\r\nHost: {self.name}:{self.port}\r\n\r\n".encode()
        with self.connect(trusting("http/1.1", self.root)) as sock, sock.makefile("rb") as answers:
            is_last = False
            while not is_last and not self.stopped.is_set():
                sock.sendall(request)
                is_last = self._read_answer(answers)
                self.answered += 1
                self.stopped.wait(self.pause)

    @staticmethod
    def _read_answer(answers: object) -> bool:
        """Whether the connection ends after this answer. Raises: EOFError, AssertionError."""
        read_line, read = answers.readline, answers.read  # type: ignore[attr-defined]  # a buffered reader, whatever its name
        status = read_line()
        if not status:
            raise EOFError("closed without an answer")
        assert status.startswith(b"HTTP/1.1 200"), status
        length, is_last = 0, False
        while (line := read_line().lower()) != b"\r\n":
            assert line, "closed within a head"
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
            is_last |= line == b"connection: close\r\n"
        assert len(read(length)) == length, "closed within a body"
        return is_last


class Http2Load(Load):
    """HTTP/2: `streams` requests at a time on one connection, until a GOAWAY."""

    streams = 4

    def visit(self) -> None:
        """See Load.visit."""
        with self.connect(trusting("h2", self.root)) as sock:
            _Http2Visit(self, sock).run()


class _Http2Visit:
    """One connection of an Http2Load, in bare frames: the `h2` package would hear nothing more after a first GOAWAY."""

    def __init__(self, load: Http2Load, sock: ssl.SSLSocket) -> None:
        self._load = load
        self._sock = sock
        self._buffer = b""
        self._fields = hpack.Decoder()
        self._open: set[int] = set()
        self._next_stream = 1
        self._leaving = False
        authority = f"{load.name}:{load.port}"
        request = [(":method", "GET"), (":scheme", "https"), (":authority", authority), (":path", load.target)]
        self._request = hpack.Encoder(), request

    def run(self) -> None:
        self._sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SettingsFrame(0).serialize())
        while True:
            if not self._leaving and not self._load.stopped.is_set():
                self._ask()
            if not self._open:
                return
            self._buffer += self._sock.recv(65536) or self._closed()
            while (frame := self._next_frame()) is not None:
                self._heard(frame)
            self._load.stopped.wait(self._load.pause)

    def _closed(self) -> bytes:
        raise EOFError(f"closed with {len(self._open)} streams open")

    def _ask(self) -> None:
        encoder, request = self._request
        while len(self._open) < self._load.streams:
            block = encoder.encode(request)
            frame = HeadersFrame(self._next_stream, block, flags=["END_HEADERS", "END_STREAM"])
            self._sock.sendall(frame.serialize())
            self._open.add(self._next_stream)
            self._next_stream += 2

    def _next_frame(self) -> Frame | None:
        if len(self._buffer) < 9:
            return None
        frame, length = Frame.parse_frame_header(memoryview(self._buffer[:9]))
        if len(self._buffer) < 9 + length:
            return None
        frame.parse_body(memoryview(self._buffer[9 : 9 + length]))
        self._buffer = self._buffer[9 + length :]
        return frame

    def _heard(self, frame: Frame) -> None:
        match frame:
            case SettingsFrame() if "ACK" not in frame.flags:
                self._sock.sendall(SettingsFrame(0, flags=["ACK"]).serialize())
            case PingFrame() if "ACK" not in frame.flags:
                self._sock.sendall(PingFrame(0, frame.opaque_data, flags=["ACK"]).serialize())
            case HeadersFrame():
                (_, status), *_rest = self._fields.decode(frame.data)
                assert str(status) == "200", status
            case DataFrame() if frame.data:
                self._sock.sendall(WindowUpdateFrame(0, len(frame.data)).serialize())
            case RstStreamFrame():
                raise ConnectionError(f"stream {frame.stream_id} reset with {frame.error_code}")
            case GoAwayFrame():
                assert frame.error_code == 0, frame.error_code
                self._leaving = True
                self._open = {number for number in self._open if number <= frame.last_stream_id}
        if isinstance(frame, HeadersFrame | DataFrame) and "END_STREAM" in frame.flags:
            self._open.discard(frame.stream_id)
            self._load.answered += 1


class HandshakeLoad(Load):
    """A handshake each time, with the chain checked when `root` is given; `certificates` are the leaves seen, in DER."""

    pause = 0.005

    def __init__(self, port: int, name: str, *, clients: int = 3, root: bytes | None = None) -> None:
        super().__init__(port, name, clients=clients, root=root)
        self.certificates: set[bytes] = set()

    def visit(self) -> None:
        """See Load.visit."""
        with self.connect(trusting("http/1.1", self.root)) as sock:
            leaf = sock.getpeercert(binary_form=True)
        assert leaf is not None
        self.certificates.add(leaf)
        self.answered += 1
        self.stopped.wait(self.pause)
