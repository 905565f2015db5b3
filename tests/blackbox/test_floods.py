"""Attackers who send much that costs them little: they are cut off, memory stays bounded, an honest visitor is served.

Limits of ten seconds and more are tested with a clock of their own in tests/server; here is what shows at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.attacks.floods import FLOODS, rapid_reset
from tests.blackbox.conftest import domains
from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.http2_visitor import HTTP2Visitor, quiet, request
from tests.blackbox.recording_origin import RecordingOrigin
from tests.blackbox.test_bodies import MemoryWatch
from tests.blackbox.visitor import Visitor, dial, dial_tls
from tests.wire import http2_frames as wire

MAX_GROWTH = 64 << 20
PATIENCE = 2.0
"""Seconds that an honest request may take while the machine is busy with attack and defence."""


@pytest.fixture(scope="module")
def edge(
    tmp_path_factory: pytest.TempPathFactory, origin: RecordingOrigin, own_certificate: list[str], engine: str
) -> Iterator[EdgeProcess]:
    """One worker, so that attacker and honest visitor meet."""
    flags = [*domains(), *own_certificate, "--upstream", f"127.0.0.1:{origin.port}", "--http2-engine", engine]
    with EdgeProcess(tmp_path_factory.mktemp(engine), *flags, workers=1) as running:
        yield running


class Honest:
    """A visitor who keeps asking, over new connections, while the block runs."""

    def __init__(self, edge: EdgeProcess) -> None:
        self._edge = edge
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.slowest = 0.0
        self.answers = 0
        self.failure: BaseException | None = None

    def __enter__(self) -> Honest:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if kind is None:
            assert self.failure is None
            assert self.answers
            assert self.slowest < PATIENCE

    def _ask(self) -> None:
        try:
            while not self._over.is_set() or not self.answers:
                began = time.monotonic()
                with Visitor(dial_tls(self._edge.https_port)) as visitor:
                    assert visitor.send(b"GET /honest HTTP/1.1\r\nHost: a.test\r\n\r\n").read().status == 200
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.answers += 1
                self._over.wait(0.02)
        except BaseException as error:
            self.failure = error


def open_streams(count: int, end: bool = True) -> bytes:
    return b"".join(wire.headers(2 * n + 1, request(), end=end) for n in range(count))


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood(edge: EdgeProcess, engine: str, kind: str) -> None:
    """The connection ends with GOAWAY within moments; nobody else notices."""
    if kind == "table sizes" and engine == "ngh2":
        pytest.skip("libnghttp2 takes them for next to nothing")
    flood = FLOODS[kind]()
    with MemoryWatch(edge) as memory, Honest(edge), HTTP2Visitor(edge.https_port, source="127.0.0.66") as attacker:
        attacker.sock.settimeout(5)
        attacker.pour(flood)
        attacker.read_until(lambda: False)
    assert attacker.goaway
    assert memory.growth < MAX_GROWTH


def test_resets_do_not_make_the_origin_work(edge: EdgeProcess, origin: RecordingOrigin) -> None:
    """Requests that are withdrawn in the same breath never reach it."""
    origin.requests.clear()
    with HTTP2Visitor(edge.https_port) as attacker:
        attacker.send(rapid_reset(150))
        assert attacker.get(1001, path=b"/last") == 200
    assert len(origin.requests) < 20


def test_many_streams_at_once(edge: EdgeProcess, origin: RecordingOrigin) -> None:
    """A hundred are served, the others refused so that they may be sent again; the connection lives."""
    origin.requests.clear()
    with HTTP2Visitor(edge.https_port) as visitor:
        visitor.send(open_streams(100, end=False))
        visitor.send(b"".join(wire.headers(2 * n + 1, request()) for n in range(100, 130)))
        for n in range(100, 130):
            assert visitor.wait(2 * n + 1) == "reset"
            assert visitor.seen(wire.RST_STREAM, 2 * n + 1)[0].code == wire.REFUSED_STREAM
        visitor.send(b"".join(wire.data(2 * n + 1, b"", end=True) for n in range(100)))
        assert [visitor.wait(2 * n + 1) for n in range(100)] == [200] * 100
        assert visitor.get(1001) == 200
    assert len(origin.requests) == 101


def test_answers_that_nobody_reads(edge: EdgeProcess) -> None:
    """Whoever asks without reading is not read either, until he does; then everything is answered."""
    count = 3000
    with MemoryWatch(edge) as memory, Honest(edge), Visitor(dial(edge.http_port, 4096)) as greedy:
        requests = b"GET / HTTP/1.1\r\nHost: unknown.test\r\n\r\n" * count
        sender = threading.Thread(target=greedy.send, args=(requests,))
        sender.start()
        time.sleep(0.5)
        assert [greedy.read().status for _ in range(count)] == [421] * count
        sender.join()
    assert memory.growth < MAX_GROWTH


def test_pings_whose_answers_nobody_reads(edge: EdgeProcess) -> None:
    """An HTTP/2 visitor who does not read for a while is served when he reads again."""
    with Honest(edge), HTTP2Visitor(edge.https_port, receive_buffer=4096) as visitor:
        for round_number in range(4):
            ids = [200 * round_number + 2 * n + 1 for n in range(100)]
            visitor.send(b"".join(wire.headers(each, request(b"/", b"GET", (b"host", b"a.test"))) for each in ids))
            time.sleep(0.2)
        ids = [2 * n + 1 for n in range(400)]
        outcomes = {visitor.wait(each) for each in ids}
        assert 200 in outcomes
        assert visitor.get(2001) == 200


def test_slow_heads(edge: EdgeProcess) -> None:
    """Hundreds of connections with half a head: no harm to others (they end at the head timeout)."""
    with MemoryWatch(edge) as memory, ExitStack() as stack:
        for number in range(300):
            door = edge.http_port if number % 2 else edge.https_port
            sock = dial(door) if number % 2 else dial_tls(door)
            stack.callback(sock.close)
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a.te")
        with Honest(edge):
            time.sleep(0.3)
    assert memory.growth < MAX_GROWTH


def test_slow_handshakes_and_silence(edge: EdgeProcess) -> None:
    """Hundreds of connections without a byte or with half a ClientHello: likewise."""
    with MemoryWatch(edge) as memory, ExitStack() as stack:
        for number in range(300):
            sock = dial(edge.https_port)
            stack.callback(sock.close)
            sock.sendall(b"\x16\x03\x01\x02\x00\x01" if number % 2 else b"")
        with Honest(edge):
            time.sleep(0.3)
    assert memory.growth < MAX_GROWTH


def test_slow_bodies(edge: EdgeProcess, origin: RecordingOrigin) -> None:
    """Uploads that never end occupy no origin, so others are served."""
    origin.requests.clear()
    with MemoryWatch(edge) as memory, ExitStack() as stack:
        for number in range(100):
            visitor = stack.enter_context(Visitor(dial_tls(edge.https_port)))
            framing = b"Content-Length: 50000" if number % 2 else b"Transfer-Encoding: chunked"
            visitor.send(b"POST /slow HTTP/1.1\r\nHost: a.test\r\n" + framing + b"\r\n\r\n8\r\nxxxxx")
        with Honest(edge):
            time.sleep(0.3)
    assert not [each for each in origin.requests if b"/slow" in each]
    assert memory.growth < MAX_GROWTH


def test_clients_that_come_and_go(edge: EdgeProcess) -> None:
    """Connections that break off at every point of a request leave nothing behind."""
    data = b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello"
    before = edge.memory()
    with Honest(edge):
        for cut in [*range(0, len(data), 3), len(data)] * 3:
            with dial_tls(edge.https_port) as tls:
                tls.sendall(data[:cut])
    assert edge.memory() - before < MAX_GROWTH
    assert open_files(edge) < 100


def open_files(edge: EdgeProcess) -> int:
    """Descriptors of the worker, once connections that are ending have ended."""
    deadline = time.monotonic() + 7
    while True:
        count = len(list(Path(f"/proc/{edge.workers()[0]}/fd").iterdir()))
        if count < 60 or time.monotonic() > deadline:
            return count
        time.sleep(0.1)


def test_nothing_is_said_twice(edge: EdgeProcess) -> None:
    """After a good answer an idle HTTP/2 connection stays silent."""
    with HTTP2Visitor(edge.https_port) as visitor:
        assert visitor.get(1) == 200
        assert quiet(visitor.sock, 0.3) == b""


@pytest.mark.parametrize("length", [(), ((b"content-length", b"250000"),)], ids=["no length", "length"])
def test_bodies_in_tiny_frames(edge: EdgeProcess, length: tuple[tuple[bytes, bytes], ...]) -> None:
    """Two bytes a frame, on many streams: what is kept of a body costs what the body is long."""
    with MemoryWatch(edge) as memory, Honest(edge), HTTP2Visitor(edge.https_port) as attacker:
        ids = [2 * n + 1 for n in range(6)]
        attacker.pour(b"".join(wire.headers(each, request(b"/", b"POST", *length), end=False) for each in ids))
        for each in ids:
            attacker.pour(wire.data(each, b"xx") * 30_000)
        attacker.send(wire.ping())
        attacker.read_until(lambda: attacker.seen(wire.PING, 0))  # all of it has been looked at
    assert not attacker.goaway
    assert memory.growth < 7 << 20


def test_visitors_who_hang_up_harm_nobody(edge: EdgeProcess) -> None:
    """Connections reset in the middle of their answers; whoever gets their descriptors next is served."""
    with Honest(edge):
        for _ in range(20):
            with HTTP2Visitor(edge.https_port) as rude:
                rude.send(b"".join(wire.headers(2 * n + 1, request()) for n in range(60)))
            with Visitor(dial_tls(edge.https_port)) as rude_too:
                rude_too.send(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n" * 5)
            with Visitor(dial_tls(edge.https_port)) as visitor:
                assert visitor.send(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").read().status == 200
