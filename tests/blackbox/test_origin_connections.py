"""Connections to origins: kept, found stale, given up, and never a visitor's problem."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blackbox.conftest import domains
from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.http2_visitor import HTTP2Visitor, request
from tests.blackbox.recording_origin import OK
from tests.blackbox.scripted_origin import ScriptedOrigin, answer, answer_and_close, answer_and_reset
from tests.blackbox.visitor import Incomplete, Visitor, dial_tls
from tests.wire import http2_frames as wire

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture(scope="module")
def origin2() -> Iterator[ScriptedOrigin]:
    with ScriptedOrigin(answer(OK)) as running:
        yield running


@pytest.fixture(scope="module")
def edge(
    tmp_path_factory: pytest.TempPathFactory, origin2: ScriptedOrigin, own_certificate: list[str]
) -> Iterator[EdgeProcess]:
    flags = [*domains(), *own_certificate, "--upstream", f"127.0.0.1:{origin2.port}"]
    with EdgeProcess(tmp_path_factory.mktemp("edge"), *flags) as running:
        yield running


def ask_many(
    edge: EdgeProcess, count: int, visitors: int = 8, pause: float = 0.0, data: bytes = GET
) -> Counter[object]:
    """`count` requests over some connections at a time; how often each status came."""
    seen: Counter[object] = Counter()

    def ask() -> None:
        with Visitor(dial_tls(edge.https_port)) as visitor:
            for _ in range(count // visitors):
                visitor.send(data)
                try:
                    seen[visitor.read().status] += 1
                except Incomplete as error:
                    seen[str(error)] += 1
                    return
                if pause:
                    time.sleep(pause)

    threads = [threading.Thread(target=ask) for _ in range(visitors)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def test_an_origin_that_closes_after_each_response(edge: EdgeProcess, origin2: ScriptedOrigin) -> None:
    """It never says so beforehand; 2,000 requests, no visitor notices (bar 19)."""
    origin2.script = answer_and_close(OK)
    assert ask_many(edge, 2000) == {200: 2000}


def test_an_origin_that_resets_after_each_response(edge: EdgeProcess, origin2: ScriptedOrigin) -> None:
    """The same when its connections end with a reset."""
    origin2.script = answer_and_reset(OK)
    assert ask_many(edge, 400) == {200: 400}


def test_an_origin_that_closes_idle_connections(edge: EdgeProcess, origin2: ScriptedOrigin) -> None:
    """Closed after some 20 ms without a request, just when the next one may come."""

    def script(sock: socket.socket, head: bytes) -> bool:
        sock.sendall(OK)
        sock.settimeout(0.02)
        return True

    origin2.script = script
    assert ask_many(edge, 400, pause=0.02) == {200: 400}


def test_a_post_is_not_sent_twice(edge: EdgeProcess, origin2: ScriptedOrigin) -> None:
    """An origin that dies on a POST has perhaps done its work: 502, and the origin saw it once."""
    seen: list[bytes] = []

    def script(sock: socket.socket, head: bytes) -> bool:
        if head.startswith(b"POST"):
            seen.append(head)
            return False
        sock.sendall(OK)
        return True

    origin2.script = script
    with Visitor(dial_tls(edge.https_port)) as visitor:
        assert visitor.send(GET).read().status == 200  # a connection in the pool
        assert visitor.send(POST % 2 + b"hi").read().status == 502
    assert len(seen) == 1


def test_an_early_answer_reaches_an_uploader(edge: EdgeProcess, origin2: ScriptedOrigin) -> None:
    """413 while the body still flows: the visitor has it at once, and the rest of the body harms nobody (bar 20)."""
    too_large = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n"
    origin2.script = answer_and_close(too_large)
    with Visitor(dial_tls(edge.https_port)) as visitor:
        visitor.send(POST % (10 << 20), b"x" * 65536)
        began = time.monotonic()
        assert visitor.read().status == 413
        assert time.monotonic() - began < 2
        visitor.send(b"x" * 1_000_000)
        assert visitor.is_closed()
    with HTTP2Visitor(edge.https_port) as visitor2:
        visitor2.send(wire.headers(1, request(b"/", b"POST", (b"content-length", b"10000000")), end=False))
        visitor2.send(*[wire.data(1, b"x" * 16000)] * 4)
        visitor2.read_until(lambda: visitor2.seen(wire.WINDOW_UPDATE, 1))
        visitor2.send(*[wire.data(1, b"x" * 16000)] * 2)
        assert visitor2.wait(1) == 413
        origin2.script = answer(OK)
        assert visitor2.get(3) == 200


def test_an_answer_without_reading_the_body(edge: EdgeProcess, origin2: ScriptedOrigin) -> None:
    """The origin answers 200 with the body unread and keeps its connection: that connection is not used again."""
    origin2.script = answer(OK)
    heads: list[bytes] = []

    def script(sock: socket.socket, head: bytes) -> bool:
        heads.append(head)
        sock.sendall(OK)
        return True

    origin2.script = script
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"
    for _ in range(5):
        with Visitor(dial_tls(edge.https_port)) as visitor:
            visitor.send(POST % (100_000 + len(smuggled)) + b"x" * 100_000 + smuggled)
            assert visitor.read().status == 200
            if not visitor.send(GET).is_closed():
                assert visitor.read().status == 200
    # What an origin leaves unread is its own affair; edge must not let it hear anything behind that.
    assert all(head.startswith((b"POST / HTTP/1.1\r\nhost", b"GET / HTTP/1.1\r\nhost", b"x")) for head in heads)


def test_a_visitor_who_leaves_is_noticed_by_the_origin(edge: EdgeProcess, origin2: ScriptedOrigin) -> None:
    """Mid-upload, while it waits, mid-download: the origin need not work for nobody (bar 27)."""
    gone = threading.Semaphore(0)

    def script(sock: socket.socket, head: bytes) -> bool:
        sock.settimeout(5)
        if b"/download" in head:
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            try:
                while True:
                    sock.sendall(b"x" * 65536)
            except ConnectionError:
                gone.release()
        else:
            try:
                while sock.recv(65536):
                    pass
                gone.release()
            except ConnectionError:
                gone.release()
        return False

    origin2.script = script
    requests = [
        GET,
        GET.replace(b"/ ", b"/download "),
        POST % 1_000_000 + b"x" * 100_000,
    ]
    for data in requests:
        with Visitor(dial_tls(edge.https_port)) as visitor:
            visitor.send(data)
            time.sleep(0.05)
        assert gone.acquire(timeout=1), data[:30]
    for headers in (request(b"/"), request(b"/download")):
        with HTTP2Visitor(edge.https_port) as visitor2:
            visitor2.send(wire.headers(1, headers))
            time.sleep(0.05)
            visitor2.send(wire.rst_stream(1))
            assert gone.acquire(timeout=1), headers


def test_an_origin_that_does_not_accept(tmp_path: Path, own_certificate: list[str]) -> None:
    """504 at the connect timeout of three seconds."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port = listening.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for each in fillers:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        with EdgeProcess(tmp_path, *domains(), *own_certificate, "--upstream", f"127.0.0.1:{port}", workers=1) as edge:
            began = time.monotonic()
            with Visitor(dial_tls(edge.https_port)) as visitor:
                assert visitor.send(GET).read().status == 504
            assert 2.5 < time.monotonic() - began < 4.5
        for each in fillers:
            each.close()
