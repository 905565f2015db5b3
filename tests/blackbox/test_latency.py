"""What an application writes bit by bit reaches the visitor bit by bit."""

from __future__ import annotations

import queue
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from tests.blackbox.conftest import domains
from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.http2_visitor import HTTP2Visitor, request
from tests.blackbox.scripted_origin import ScriptedOrigin
from tests.blackbox.visitor import Visitor, dial_tls
from tests.wire import http2_frames as wire

PROMPTLY = 0.05
"""Seconds from the application's write to the visitor's read, at the median."""

ATTEMPTS = 6
"""What holds bytes back, a buffer or a timer, is late every time; a machine that is busy with other things is not."""

EVENTS = 15

PATIENCE = 30.0
"""Seconds after which the application gives up on a test that has given up."""


class Clockwork:
    """Sends one piece after another, each when the test asks for it, and notes when."""

    def __init__(self) -> None:
        self.turns: queue.Queue[float] = queue.Queue()
        self.written: list[float] = []
        self.head = b""
        self.wrap = b""

    def __call__(self, sock: socket.socket, head: bytes) -> bool:
        turns, written = self.turns, self.written  # those of this request, should another one come before its end
        sock.sendall(self.head)
        for number in range(EVENTS):
            turns.get(timeout=PATIENCE)
            piece = b"data: %d\n\n" % number
            if self.wrap == b"chunk":
                piece = b"%x\r\n%b\r\n" % (len(piece), piece)
            written.append(time.monotonic())
            sock.sendall(piece)
        return False


FORMS = {
    "event stream, chunks": (b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked", b"chunk"),
    "event stream, until close": (b"Content-Type: text/event-stream", b""),
    "with a length": (b"Content-Length: 1000", b""),
}


@pytest.fixture(scope="module")
def clockwork() -> Clockwork:
    return Clockwork()


@pytest.fixture(scope="module")
def edge(
    tmp_path_factory: pytest.TempPathFactory, clockwork: Clockwork, own_certificate: list[str], engine: str
) -> Iterator[EdgeProcess]:
    with ScriptedOrigin(clockwork) as origin:
        flags = [*domains(), *own_certificate, "--upstream", f"127.0.0.1:{origin.port}", "--http2-engine", engine]
        with EdgeProcess(tmp_path_factory.mktemp(engine), *flags, workers=1) as running:
            yield running


def is_prompt(clockwork: Clockwork, form: str, arrivals: Callable[[], list[float]]) -> bool:
    """Whether half of the events come through promptly, in one attempt at least."""
    for _ in range(ATTEMPTS):
        prepare(clockwork, form)
        arrived = arrivals()
        delays = sorted(there - here for here, there in zip(clockwork.written, arrived, strict=True))
        if delays[len(delays) // 2] < PROMPTLY:
            return True
    return False


def prepare(clockwork: Clockwork, form: str) -> None:
    fields, clockwork.wrap = FORMS[form]
    clockwork.head = b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n\r\n"
    clockwork.written = []
    clockwork.turns = queue.Queue()


@pytest.mark.parametrize("form", FORMS)
def test_events_over_http1(edge: EdgeProcess, clockwork: Clockwork, form: str) -> None:
    """Each event is there within moments (bar 21): nothing waits for a buffer to fill."""

    def arrivals() -> list[float]:
        arrived = []
        with Visitor(dial_tls(edge.https_port)) as visitor:
            visitor.send(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
            for number in range(EVENTS):
                clockwork.turns.put(0)
                visitor.read_through(b"data: %d\n\n" % number)
                arrived.append(time.monotonic())
        return arrived

    assert is_prompt(clockwork, form, arrivals)


@pytest.mark.parametrize("form", FORMS)
def test_events_over_http2(edge: EdgeProcess, clockwork: Clockwork, form: str) -> None:
    """The same on a stream."""

    def arrivals() -> list[float]:
        arrived = []
        with HTTP2Visitor(edge.https_port) as visitor:
            visitor.send(wire.headers(1, request(b"/")))
            for number in range(EVENTS):
                clockwork.turns.put(0)
                mark = b"data: %d\n\n" % number
                visitor.read_until(lambda mark=mark: mark in visitor.body(1))  # type: ignore[misc]  # a default binds it
                arrived.append(time.monotonic())
        return arrived

    assert is_prompt(clockwork, form, arrivals)


def test_the_head_does_not_wait_for_the_body(edge: EdgeProcess, clockwork: Clockwork) -> None:
    """A long poll shows its head while its first byte is still to come."""
    prepare(clockwork, "event stream, chunks")
    with Visitor(dial_tls(edge.https_port)) as visitor:
        visitor.send(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert visitor.read_head()[0] == 200
        for _ in range(EVENTS):
            clockwork.turns.put(0)
