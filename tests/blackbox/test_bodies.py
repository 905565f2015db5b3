"""Large bodies in both directions: every byte arrives, and edge's memory does not grow with them."""

from __future__ import annotations

import hashlib
import random
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import pytest

from tests.blackbox.conftest import domains
from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.http2_visitor import HTTP2Visitor, request
from tests.blackbox.scripted_origin import ScriptedOrigin
from tests.blackbox.visitor import dial_tls
from tests.wire import http2_frames as wire

SIZE = 48 << 20
"""Much more than edge may grow by."""

MAX_GROWTH = 24 << 20


class MemoryWatch:
    """How far the process tree's memory rises above where it began, while the block runs."""

    def __init__(self, edge: EdgeProcess) -> None:
        self._edge = edge
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._start = edge.memory()
        self._peak = 0

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    @property
    def growth(self) -> int:
        return self._peak - self._start

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            self._peak = max(self._peak, self._edge.memory())


class BodyOrigin:
    """Takes uploads and remembers their hashes; sends SIZE bytes of a known stream for GET. `pace` slows each read down."""

    def __init__(self) -> None:
        self.pace = 0.0
        self.uploads: list[str] = []
        self.block = random.Random(1).randbytes(1 << 20)

    @property
    def download_hash(self) -> str:
        total = hashlib.sha256()
        for _ in range(SIZE >> 20):
            total.update(self.block)
        return total.hexdigest()

    def __call__(self, sock: socket.socket, head: bytes) -> bool:
        if head.startswith((b"GET", b"HEAD")):
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
            if head.startswith(b"HEAD"):
                return True
            for _ in range(SIZE >> 20):
                sock.sendall(self.block)
            return True
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length"))
        self.uploads.append(self._hash(sock, length))
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")
        return True

    def _hash(self, sock: socket.socket, left: int) -> str:
        total = hashlib.sha256()
        buffer = memoryview(bytearray(1 << 18))
        while left:
            count = sock.recv_into(buffer[: min(left, len(buffer))])
            if not count:
                return "cut"
            total.update(buffer[:count])
            left -= count
            if self.pace:
                time.sleep(self.pace)
        return total.hexdigest()


@pytest.fixture(scope="module")
def bodies() -> BodyOrigin:
    return BodyOrigin()


@pytest.fixture(scope="module")
def body_origin(bodies: BodyOrigin) -> Iterator[ScriptedOrigin]:
    with ScriptedOrigin(bodies) as running:
        yield running


@pytest.fixture(scope="module")
def edge(
    tmp_path_factory: pytest.TempPathFactory, body_origin: ScriptedOrigin, own_certificate: list[str], engine: str
) -> Iterator[EdgeProcess]:
    flags = [*domains(), *own_certificate, "--upstream", f"127.0.0.1:{body_origin.port}", "--http2-engine", engine]
    with EdgeProcess(tmp_path_factory.mktemp(engine), *flags, workers=1) as running:
        yield running


@pytest.fixture(scope="module")
def upload(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A file of SIZE bytes and its hash."""
    path = tmp_path_factory.mktemp("upload") / "body"
    total = hashlib.sha256()
    randomness = random.Random(2)
    with path.open("wb") as file:
        for _ in range(SIZE >> 20):
            piece = randomness.randbytes(1 << 20)
            file.write(piece)
            total.update(piece)
    return path, total.hexdigest()


def curl(edge: EdgeProcess, *flags: str, stdin: Path | None = None) -> str:
    where = f"a.test:{edge.https_port}"
    command = ["curl", "--silent", "--show-error", "--insecure", "--max-time", "60", "--header", "Expect:"]
    command += ["--resolve", f"{where}:127.0.0.1", f"https://{where}/", *flags]
    with (stdin or Path("/dev/null")).open("rb") as source:
        done = subprocess.run(command, check=False, stdin=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


UPLOADS = {
    "HTTP/1.1, length": ["--http1.1", "--upload-file", "FILE"],
    "HTTP/1.1, chunks": ["--http1.1", "--upload-file", "-"],
    "HTTP/2, length": ["--http2", "--upload-file", "FILE"],
    "HTTP/2, no length": ["--http2", "--upload-file", "-"],
}


@pytest.mark.parametrize("pace", [0.0, 0.001], ids=["fast origin", "slow origin"])
@pytest.mark.parametrize("kind", UPLOADS)
def test_an_upload(
    edge: EdgeProcess, engine: str, bodies: BodyOrigin, upload: tuple[Path, str], kind: str, pace: float
) -> None:
    """It streams, or waits in a file where its length is unknown: memory stays where it was (bar 25)."""
    if "HTTP/1.1" in kind and engine == "h2":
        pytest.skip("HTTP/1.1 has one engine")
    path, digest = upload
    bodies.pace = pace
    bodies.uploads.clear()
    with MemoryWatch(edge) as memory:
        flags = [str(path) if flag == "FILE" else flag for flag in UPLOADS[kind]]
        assert curl(edge, *flags, stdin=path) == "ok\n"
    assert bodies.uploads == [digest]
    assert memory.growth < MAX_GROWTH


def test_a_download_over_http1_to_a_slow_reader(edge: EdgeProcess, bodies: BodyOrigin) -> None:
    """The origin is slowed down to the reader's pace: nothing piles up in between (bar 22)."""
    with MemoryWatch(edge) as memory, dial_tls(edge.https_port, receive_buffer=65536) as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        time.sleep(0.7)
        data = tls.recv(65536)
        _, _, data = data.partition(b"\r\n\r\n")
        left, total = SIZE - len(data), hashlib.sha256(data)
        while left:
            data = tls.recv(65536)
            total.update(data)
            left -= len(data)
    assert total.hexdigest() == bodies.download_hash
    assert memory.growth < MAX_GROWTH


def test_a_download_over_http2_to_a_slow_reader(edge: EdgeProcess, bodies: BodyOrigin) -> None:
    """A window wide open is no excuse either: what the socket does not take is not asked of the origin."""
    with MemoryWatch(edge) as memory, HTTP2Visitor(edge.https_port, receive_buffer=65536) as visitor:
        visitor.send(wire.headers(1, request(b"/")))
        time.sleep(0.7)
        total = hashlib.sha256()
        left = SIZE
        while left:
            visitor.read()
            assert not visitor.is_closed
            for frame in visitor.seen(wire.DATA, 1):
                total.update(frame.payload)
                left -= len(frame.payload)
            visitor.frames.clear()
    assert total.hexdigest() == bodies.download_hash
    assert memory.growth < MAX_GROWTH


def test_a_reader_that_never_opens_its_window(edge: EdgeProcess) -> None:
    """Fifty streams without a byte of window: some hundred KiB each at most, and others are served."""
    with MemoryWatch(edge) as memory, HTTP2Visitor(edge.https_port, {4: 0}) as visitor:
        for stream_id in range(1, 100, 2):
            visitor.send(wire.headers(stream_id, request(b"/")))
        visitor.read_until(lambda: len(visitor.fields) == 50)
        time.sleep(0.5)
        with HTTP2Visitor(edge.https_port) as other:
            other.send(wire.headers(1, request(b"/", b"HEAD")))
            assert other.wait(1) == 200
    assert memory.growth < MAX_GROWTH
