"""What an origin writes arrives when it is written, and what a visitor takes slowly holds nobody up.

No clock is asked: the origin writes the next piece only when the visitor has the one before. A proxy that holds anything back
waits for ever, and the test fails.
"""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.blackbox.conftest import domains
from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.http2_visitor import HTTP2Visitor, request
from tests.blackbox.recording_origin import OK
from tests.blackbox.scripted_origin import ScriptedOrigin, answer
from tests.blackbox.visitor import TIMEOUT, Visitor, dial_tls
from tests.wire import http2_frames as wire

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
EVENTS = [b"data: %d\n\n" % number for number in range(20)]
MAX_BODY = 1000


@pytest.fixture(scope="module")
def origin() -> Iterator[ScriptedOrigin]:
    with ScriptedOrigin(answer(OK)) as running:
        yield running


@pytest.fixture(scope="module")
def edge(
    tmp_path_factory: pytest.TempPathFactory, origin: ScriptedOrigin, own_certificate: list[str], engine: str
) -> Iterator[EdgeProcess]:
    directory = tmp_path_factory.mktemp(engine)
    configuration = directory / "edge.toml"
    configuration.write_text(f"[[site]]\nmax_body = {MAX_BODY}\n")
    flags = [*domains(), *own_certificate, "--upstream", f"127.0.0.1:{origin.port}", "--http2-engine", engine]
    with EdgeProcess(directory, "--config", str(configuration), *flags, workers=1) as running:
        yield running


class Told:
    """An origin's script that writes each piece when it is told to, and not before."""

    def __init__(self, head: bytes, frame: Callable[[bytes], bytes] = bytes) -> None:
        self._head = head
        self._frame = frame
        self._pieces: queue.Queue[bytes | None] = queue.Queue()

    def __call__(self, sock: socket.socket, head: bytes) -> bool:
        sock.sendall(self._head)
        while (piece := self._pieces.get(timeout=TIMEOUT)) is not None:
            sock.sendall(self._frame(piece))
        return False

    def write(self, piece: bytes | None) -> None:
        """None ends the response with its connection."""
        self._pieces.put(piece)


class Listener:
    """A visitor's response body, read until it has what is expected."""

    visitor: Visitor | HTTP2Visitor

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.visitor.sock.close()

    def read_head(self) -> int:
        """The status, as soon as the head is here."""
        raise NotImplementedError

    def read_body(self, size: int) -> bytes:
        """The first `size` bytes of the body, as soon as they are here."""
        raise NotImplementedError


class OverHTTP1(Listener):
    visitor: Visitor

    def __init__(self, edge: EdgeProcess) -> None:
        self.visitor = Visitor(dial_tls(edge.https_port)).send(GET)
        self._chunked = False
        self._seen = bytearray()

    def read_head(self) -> int:
        status, fields = self.visitor.read_head()
        self._chunked = (b"transfer-encoding", b"chunked") in fields
        return status

    def read_body(self, size: int) -> bytes:
        while len(self._body()) < size:
            self._seen += self.visitor.read_some()
        return bytes(self._body()[:size])

    def _body(self) -> bytes | bytearray:
        if not self._chunked:
            return self._seen
        body, rest = b"", bytes(self._seen)
        while b"\r\n" in rest:
            line, _, rest = rest.partition(b"\r\n")
            body, rest = body + rest[: int(line, 16)], rest[int(line, 16) + 2 :]
        return body


class OverHTTP2(Listener):
    visitor: HTTP2Visitor

    def __init__(self, edge: EdgeProcess) -> None:
        self.visitor = HTTP2Visitor(edge.https_port)
        self.visitor.send(wire.headers(1, request()))

    def read_head(self) -> int:
        self.visitor.read_until(lambda: 1 in self.visitor.fields)
        return int(self.visitor.fields[1][b":status"])

    def read_body(self, size: int) -> bytes:
        self.visitor.read_until(lambda: len(self.visitor.body(1)) >= size)
        return self.visitor.body(1)[:size]


OVER: dict[str, type[OverHTTP1 | OverHTTP2]] = {"HTTP/1.1": OverHTTP1, "HTTP/2": OverHTTP2}


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


EVENT_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


@pytest.mark.parametrize("version", OVER)
@pytest.mark.parametrize(
    ("head", "frame"),
    [
        (EVENT_STREAM + b"Transfer-Encoding: chunked\r\n\r\n", chunk),
        (EVENT_STREAM + b"Connection: close\r\n\r\n", bytes),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n", chunk),
        (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(b"".join(EVENTS)), bytes),
    ],
    ids=["events-chunked", "events-until-close", "page-chunked", "page-counted"],
)
def test_each_piece_arrives_before_the_next_is_written(
    edge: EdgeProcess, origin: ScriptedOrigin, version: str, head: bytes, frame: Callable[[bytes], bytes]
) -> None:
    """The head alone, then event by event: nothing waits for company."""
    origin.script = told = Told(head, frame)
    with OVER[version](edge) as listener:
        assert listener.read_head() == 200
        seen = b""
        for event in EVENTS:
            told.write(event)
            seen += event
            assert listener.read_body(len(seen)) == seen
        told.write(None)


def test_single_bytes_arrive_singly(edge: EdgeProcess, origin: ScriptedOrigin) -> None:
    """A long poll may answer with one byte."""
    origin.script = told = Told(EVENT_STREAM + b"\r\n")
    for kind in OVER.values():
        with kind(edge) as listener:
            assert listener.read_head() == 200
            for number in range(1, 6):
                told.write(b".")
                assert listener.read_body(number) == b"." * number
            told.write(None)


def test_early_hints_arrive_before_the_response_is_written(edge: EdgeProcess, origin: ScriptedOrigin) -> None:
    """103 with its fields, and 102, over both protocols (RFC 8297); 100 is between edge and the origin."""
    hints = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
    origin.script = told = Told(hints + b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
    with Visitor(dial_tls(edge.https_port)) as visitor:
        visitor.send(GET)
        assert visitor.read_head()[0] == 102
        assert visitor.read_head() == (103, ((b"link", b"</a.css>; rel=preload"),))
        told.write(OK)
        told.write(None)
        assert visitor.read().body == b"ok\n"
    with HTTP2Visitor(edge.https_port) as over_http2:
        over_http2.send(wire.headers(1, request()))
        over_http2.read_until(lambda: len(over_http2.interim) == 2)
        assert [fields[b":status"] for _, fields in over_http2.interim] == [b"102", b"103"]
        assert over_http2.interim[1][1][b"link"] == b"</a.css>; rel=preload"
        assert not over_http2.fields
        told.write(OK)
        told.write(None)
        assert over_http2.wait(1) == 200


def test_a_client_that_asks_is_told_to_go_on(edge: EdgeProcess, origin: ScriptedOrigin) -> None:
    """100 comes before the body is sent, and the origin is not troubled until there is one."""
    origin.script = answer(OK)
    before = origin.accepted
    head = b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    with Visitor(dial_tls(edge.https_port)) as visitor:
        visitor.send(head)
        assert visitor.read_head()[0] == 100
        assert origin.accepted == before
        visitor.send(b"body")
        assert visitor.read().status == 200
    with HTTP2Visitor(edge.https_port) as over_http2:
        fields = request(b"/", b"POST", (b"content-length", b"4"), (b"expect", b"100-continue"))
        over_http2.send(wire.headers(1, fields, end=False))
        over_http2.read_until(lambda: over_http2.interim)
        assert over_http2.interim[0][1][b":status"] == b"100"
        over_http2.send(wire.data(1, b"body", end=True))
        assert over_http2.wait(1) == 200


def test_a_client_with_too_much_is_told_at_once(edge: EdgeProcess, origin: ScriptedOrigin) -> None:
    """413 instead of 100, and no byte of the body crosses the wire."""
    head = b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n"
    with Visitor(dial_tls(edge.https_port)) as visitor:
        response = visitor.send(head).read()
        assert (response.status, response.interim) == (413, ())
    with HTTP2Visitor(edge.https_port) as over_http2:
        fields = request(b"/", b"POST", (b"content-length", b"1001"), (b"expect", b"100-continue"))
        over_http2.send(wire.headers(1, fields, end=False))
        assert over_http2.wait(1) == 413
        assert not over_http2.interim


@pytest.mark.parametrize("version", OVER)
def test_a_slow_visitor_holds_no_worker(edge: EdgeProcess, origin: ScriptedOrigin, version: str) -> None:
    """The origin has written everything before the visitor has read anything; then the visitor gets all of it."""
    body = b"x" * (16 * 1024 * 1024)
    done = threading.Event()

    def script(sock: socket.socket, head: bytes) -> bool:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        sock.sendall(body)
        done.set()
        return True

    origin.script = script
    with OVER[version](edge) as listener:
        assert done.wait(TIMEOUT)
        assert listener.read_head() == 200
        assert len(listener.read_body(len(body))) == len(body)
