"""Ten thousand exchanges with an origin that does everything wrong in turn: every visitor is told right, and nothing is left.

Not among the wrongs: a second answer that comes when the next request is already on its way. In HTTP/1.1 nothing tells it from
the answer to that request. What comes before is thrown away with its connection (`test_bad_responses`).
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.blackbox.asking import open_descriptors, status_field, wait_until
from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.http2_visitor import HTTP2Visitor, request
from tests.blackbox.misbehaving_origin import BEHAVIOURS, CUT, HANGS, OWN, UwsgiOrigin, behave
from tests.blackbox.scripted_origin import ScriptedOrigin
from tests.blackbox.visitor import Incomplete, Visitor, dial_tls
from tests.wire import http2_frames as wire

EXCHANGES: Final = 10_000

WARM_UP: Final = 3_000
"""Exchanges after which caches are filled and the allocator has its arenas."""

VISITORS: Final = 4
"""At a time; half of them speak HTTP/2."""

STREAMS: Final = 20
"""Requests at a time on an HTTP/2 connection."""

STREAMS_PER_CONNECTION: Final = 100
"""edge counts the streams that it resets against the visitor, and ends a connection with more than 200."""

LEEWAY: Final = 3 * 1024
"""KiB by which a worker may have grown: caches that still fill. A connection lost in each hundredth exchange would be more."""

QUICK: Final = tuple(name for name in BEHAVIOURS if name != HANGS)

Outcome = int | str
Asked = tuple[str, bytes]
"""A behaviour and the path that asks for it."""


@pytest.fixture
def edge(tmp_path: Path, engine: str) -> Iterator[EdgeProcess]:
    with ScriptedOrigin(behave) as http, UwsgiOrigin(behave) as uwsgi:
        file = tmp_path / "edge.toml"
        file.write_text(
            f"""
            [[site]]
            names = "a.test"
            upstream = "127.0.0.1:{http.port}"
            hold_seconds = 0

            [[site.route]]
            path = "/uwsgi"
            upstream = "uwsgi://127.0.0.1:{uwsgi.port}"

            [[site.route]]
            path = "/http/{HANGS}"
            first_byte_timeout = "1s"

            [[site.route]]
            path = "/uwsgi/{HANGS}"
            first_byte_timeout = "1s"
            """
        )
        running = EdgeProcess(tmp_path, "--config", str(file), "--http2-engine", engine, workers=1)
        running.first_name = "a.test"
        with running:
            yield running


def exchanges(count: int, seed: int) -> list[Asked]:
    """A mixture in which every behaviour has its turn, over HTTP and uwsgi alike."""
    mixture = random.Random(seed)
    behaviours = [QUICK[number % len(QUICK)] for number in range(count)]
    mixture.shuffle(behaviours)
    kinds = mixture.choices(("http", "uwsgi"), k=count)
    return [
        (behaviour, f"/{kind}/{behaviour}/{seed}-{number}".encode())
        for number, (kind, behaviour) in enumerate(zip(kinds, behaviours, strict=True))
    ]


def judge(asked: Asked, outcome: Outcome, body: bytes) -> str:
    """What is wrong with an exchange, or ""."""
    behaviour, path = asked
    if outcome not in BEHAVIOURS[behaviour].outcomes:
        return f"{behaviour}: {outcome}"
    if outcome == OWN and body != path:
        return f"{behaviour}: {path!r} got {body!r}"
    return ""


def over_http1(edge: EdgeProcess, all_asked: Sequence[Asked]) -> Iterator[str]:
    """One after the other on a connection that is used again as long as edge keeps it; yields what is wrong."""
    visitor = Visitor(dial_tls(edge.https_port))
    for asked in all_asked:
        visitor.send(b"GET %b HTTP/1.1\r\nHost: a.test\r\n\r\n" % asked[1])
        try:
            response = visitor.read()
            yield judge(asked, response.status, response.body)
            goes_on = response.field(b"connection") != b"close"
        except Incomplete as error:
            yield judge(asked, "silence" if "Timeout" in str(error) else CUT, b"")
            goes_on = False
        if not goes_on:
            visitor.sock.close()
            visitor = Visitor(dial_tls(edge.https_port))
    visitor.sock.close()


def over_http2(edge: EdgeProcess, all_asked: Sequence[Asked]) -> Iterator[str]:
    """Several at a time; yields what is wrong."""
    for start in range(0, len(all_asked), STREAMS_PER_CONNECTION):
        with HTTP2Visitor(edge.https_port) as visitor:
            portion = all_asked[start : start + STREAMS_PER_CONNECTION]
            for first in range(0, len(portion), STREAMS):
                batch = dict(enumerate(portion[first : first + STREAMS], first))
                visitor.send(
                    b"".join(wire.headers(2 * number + 1, request(path)) for number, (_, path) in batch.items())
                )
                for number, asked in batch.items():
                    outcome = visitor.wait(2 * number + 1)
                    yield judge(asked, CUT if outcome == "reset" else outcome, visitor.body(2 * number + 1))


def ask(edge: EdgeProcess, count: int, seed: int) -> list[str]:
    """So many exchanges by VISITORS at a time; what was wrong."""
    wrong: list[str] = []

    def visit(over: Callable[[EdgeProcess, Sequence[Asked]], Iterator[str]], all_asked: Sequence[Asked]) -> None:
        try:
            wrong.extend(filter(None, over(edge, all_asked)))
        except Exception as error:
            wrong.append(f"{type(error).__name__}: {error}")

    threads = [
        threading.Thread(target=visit, args=(over, exchanges(count // VISITORS, seed * VISITORS + number)))
        for number, over in enumerate((over_http1, over_http2) * (VISITORS // 2))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


def leave(edge: EdgeProcess) -> None:
    """Visitors who do not wait for their answer."""
    for number, (_, path) in enumerate(exchanges(len(QUICK) * 4, seed=99)):
        if number % 2:
            with Visitor(dial_tls(edge.https_port)) as visitor:
                visitor.send(b"GET %b HTTP/1.1\r\nHost: a.test\r\n\r\n" % path)
        else:
            with HTTP2Visitor(edge.https_port) as other:
                other.send(wire.headers(1, request(path)) + wire.rst_stream(1))


def resident(pid: int) -> int:
    """KiB of memory."""
    return int(status_field(pid, "VmRSS")[0])


def connections(pid: int) -> int:
    """Sockets that a process has open."""
    return sum(name.startswith("socket:") for name in open_descriptors(pid))


def test_nothing_is_confused_and_nothing_is_left(edge: EdgeProcess) -> None:
    """Each visitor gets its own whole answer, a clean error or a clean abort; descriptors and memory stay as they were."""
    (worker,) = edge.workers()
    at_rest = connections(worker)
    assert ask(edge, WARM_UP, seed=0) == []
    wait_until(lambda: connections(worker) <= at_rest, what="the end of the first connections")
    before = resident(worker)
    assert ask(edge, EXCHANGES - WARM_UP, seed=1) == []
    leave(edge)
    wait_until(lambda: connections(worker) <= at_rest, what="the end of all connections")
    assert resident(worker) - before < LEEWAY


def test_who_hangs_is_given_up(edge: EdgeProcess) -> None:
    """By the deadline of its route, with an error where nothing has been sent."""
    asked = [(HANGS, f"/{kind}/{HANGS}/1".encode()) for kind in ("http", "uwsgi") * (STREAMS // 2)]
    (worker,) = edge.workers()
    at_rest = connections(worker)
    assert set(over_http2(edge, asked)) == {""}
    assert set(over_http1(edge, asked[:1])) == {""}
    wait_until(lambda: connections(worker) <= at_rest, what="the end of all connections")
