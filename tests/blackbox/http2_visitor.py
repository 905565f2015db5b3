"""An HTTP/2 visitor that sends frames of its own making, and one that keeps the rules."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable

from tests.blackbox.visitor import TIMEOUT, client_context, dial_tls
from tests.wire import http2_frames as wire

HTTP2 = client_context("h2")

Headers = Iterable[tuple[bytes, bytes]]


def request(path: bytes = b"/", method: bytes = b"GET", *fields: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """A header list for a.test."""
    pseudo = [(b":method", method), (b":scheme", b"https"), (b":authority", b"a.test"), (b":path", path)]
    return [*pseudo, *fields]


def head(stream_id: int, fields: Headers, end: bool = True) -> bytes:
    """HEADERS, and CONTINUATION where the block is longer than a frame may be."""
    block = wire.block(fields)
    pieces = [block[start : start + 16384] for start in range(0, len(block), 16384)]
    frames = []
    for number, piece in enumerate(pieces):
        kind = wire.CONTINUATION if number else wire.HEADERS
        flags = 0 if number else int(end)
        flags |= wire.END_HEADERS if number == len(pieces) - 1 else 0
        frames.append(wire.frame(kind, flags, stream_id, piece))
    return b"".join(frames)


class HTTP2Visitor:
    """A connection to edge over which any frame can be sent; a context manager. What comes back is kept as frames.

    Connection and stream windows are opened wide at the start unless `settings` says otherwise.
    """

    def __init__(
        self,
        port: int,
        settings: dict[int, int] | None = None,
        *,
        name: str = "a.test",
        receive_buffer: int = 0,
        source: str = "127.0.0.1",
    ) -> None:
        self.sock = dial_tls(port, name, HTTP2, receive_buffer, source)
        assert self.sock.selected_alpn_protocol() == "h2"
        self.frames: list[wire.Frame] = []
        self.fields: dict[int, dict[bytes, bytes]] = {}
        """Stream → fields of its final response head."""
        self.interim: list[tuple[int, dict[bytes, bytes]]] = []
        self.is_closed = False
        self._reader = wire.FrameReader()
        self._answers: list[bytes] | None = None
        self.send(wire.opening({4: 1 << 30} if settings is None else settings))
        if settings is None:
            self.send(wire.window_update(0, 1 << 30))

    def __enter__(self) -> HTTP2Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, *pieces: bytes) -> HTTP2Visitor:
        """Each piece is one write; a connection that edge has closed is no error."""
        with contextlib.suppress(OSError):
            for piece in pieces:
                self.sock.sendall(piece)
        return self

    def pour(self, data: bytes) -> None:
        """Send while reading what comes, until all is sent or the connection has ended."""
        view = memoryview(data)
        self._answers = []  # or they would come in the middle of a frame
        while view and not self.is_closed:
            readable, writable, _ = select.select([self.sock], [self.sock], [], TIMEOUT)
            if readable:
                self.read()
            elif writable:
                try:
                    view = view[self.sock.send(view[:16384]) :]
                except OSError:
                    break  # what edge has said can still be read
        answers, self._answers = self._answers, None
        self.send(*answers)

    def read(self) -> None:
        """Take what comes next, once."""
        try:
            data = self.sock.recv(65536)
        except TimeoutError:
            raise AssertionError(f"nothing came: {self.frames[-5:]}") from None
        except OSError:
            data = b""
        self.is_closed = self.is_closed or not data
        for frame in self._reader.read(data):
            self._take(frame)

    def _take(self, frame: wire.Frame) -> None:
        self.frames.append(frame)
        if frame.kind == wire.HEADERS:
            fields = self._reader.fields(frame)
            if fields[b":status"].startswith(b"1"):
                self.interim.append((frame.stream_id, fields))
            else:
                self.fields[frame.stream_id] = fields
        elif frame.kind == wire.SETTINGS and not frame.flags:
            self._answer(wire.frame(wire.SETTINGS, 1, 0))

    def _answer(self, data: bytes) -> None:
        if self._answers is None:
            self.send(data)
        else:
            self._answers.append(data)

    def read_until(self, condition: Callable[[], object]) -> None:
        """Read until something holds or the connection has ended."""
        deadline = time.monotonic() + TIMEOUT
        while not condition() and not self.is_closed:
            assert time.monotonic() < deadline, self.frames[-5:]
            self.read()

    def seen(self, kind: int, stream_id: int | None = None) -> list[wire.Frame]:
        """Frames of a kind so far."""
        return [each for each in self.frames if each.kind == kind and stream_id in (None, each.stream_id)]

    def body(self, stream_id: int) -> bytes:
        """Body bytes so far."""
        return b"".join(each.payload for each in self.seen(wire.DATA, stream_id))

    def is_over(self, stream_id: int) -> bool:
        """Whether END_STREAM or RST_STREAM has come."""
        return any(
            each.stream_id == stream_id
            and (each.kind == wire.RST_STREAM or (each.kind in (wire.DATA, wire.HEADERS) and each.flags & 1))
            for each in self.frames
        )

    def wait(self, stream_id: int) -> int | str:
        """Until a stream is over: its status; "reset" if it ended by a reset, "closed" if the connection did."""
        self.read_until(lambda: self.is_over(stream_id))
        if not self.is_over(stream_id):
            return "closed"
        if any(each.code for each in self.seen(wire.RST_STREAM, stream_id)):
            return "reset"
        return int(self.fields[stream_id][b":status"])

    def get(self, stream_id: int, *fields: tuple[bytes, bytes], path: bytes = b"/") -> int | str:
        """One plain request and its outcome."""
        self.send(wire.headers(stream_id, request(path, b"GET", *fields)))
        return self.wait(stream_id)

    @property
    def goaway(self) -> int | None:
        """The code of the last GOAWAY, if one has come."""
        frames = self.seen(wire.GOAWAY)
        return frames[-1].code if frames else None


def quiet(sock: ssl.SSLSocket | socket.socket, seconds: float) -> bytes:
    """Whatever comes within a time."""
    sock.settimeout(seconds)
    data = b""
    with contextlib.suppress(TimeoutError, OSError):
        while piece := sock.recv(65536):
            data += piece
    sock.settimeout(TIMEOUT)
    return data
