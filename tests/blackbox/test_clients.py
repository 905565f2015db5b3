"""Budgets of a client: what one address may do to a worker while others are served.

Each test attacks from a loopback address of its own, so that nothing is remembered from one to the next.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count

import pytest

from benchmarks.accounting import cpu_seconds
from edge.http.limits import MISDEED_INTERVAL, MISDEEDS_FORGIVEN
from tests.attacks import crowds
from tests.attacks.floods import FLOODS
from tests.attacks.target import Target, client_hello
from tests.blackbox.conftest import domains
from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.recording_origin import RecordingOrigin
from tests.blackbox.test_bodies import MemoryWatch
from tests.blackbox.visitor import Visitor, dial_tls

MAX_GROWTH = 64 << 20
GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
LARGE = b"/static/large.bin"
FEW = "[listen]\nmax_connections_per_client = 60\nmax_connections = 100\n"


@pytest.fixture(scope="module")
def edge(
    tmp_path_factory: pytest.TempPathFactory, origin: RecordingOrigin, own_certificate: list[str], engine: str
) -> Iterator[EdgeProcess]:
    """One worker with each engine, an origin and a large file."""
    directory = tmp_path_factory.mktemp(engine)
    (directory / "large.bin").write_bytes(bytes(1 << 20))
    flags = [*domains(), *own_certificate, "--upstream", f"127.0.0.1:{origin.port}", "--http2-engine", engine]
    with EdgeProcess(directory, *flags, "--static", f"/static={directory}", workers=1) as running:
        yield running


@pytest.fixture(scope="module")
def small(
    tmp_path_factory: pytest.TempPathFactory, origin: RecordingOrigin, own_certificate: list[str]
) -> Iterator[EdgeProcess]:
    """One worker that lets few in."""
    directory = tmp_path_factory.mktemp("small")
    (directory / "edge.toml").write_text(FEW)
    flags = [*domains(), *own_certificate, "--upstream", f"127.0.0.1:{origin.port}"]
    with EdgeProcess(directory, *flags, "--config", str(directory / "edge.toml"), workers=1) as running:
        yield running


@pytest.fixture
def source() -> str:
    """Where this test's attacker is."""
    return f"127.0.1.{next(_SOURCES)}"


_SOURCES = count(1)


def is_served(edge: EdgeProcess, source: str = "127.0.0.1") -> bool:
    """Whether a new connection from there gets an answer."""
    with contextlib.suppress(OSError), Visitor(dial_tls(edge.https_port, source=source)) as visitor:
        return visitor.send(GET).read().status == 200
    return False


def is_open(sock: socket.socket) -> bool:
    """Whether the other side has not ended the connection."""
    sock.setblocking(False)
    try:
        while sock.recv(1 << 16):
            pass
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    return False


def count_open(held: list[socket.socket]) -> int:
    """How many connections are left, once edge has done what it does in one turn."""
    time.sleep(0.3)
    return sum(map(is_open, held))


def flood(target: Target, kind: str) -> bool:
    """One flood on a new connection; whether it was let in."""
    try:
        with target.http2() as attacker:
            attacker.pour(FLOODS[kind]())
            attacker.read_until(lambda: False)
    except OSError:
        return False
    return True


def test_who_comes_back_after_each_flood_waits(edge: EdgeProcess, source: str) -> None:
    """A connection for each flood: after a hundred and some the client's next handshake waits, and nobody else's."""
    target = Target(edge.https_port, source=source)
    began = time.monotonic()
    for number in count(1):
        assert flood(target, "interrupted block")
        if number >= MISDEEDS_FORGIVEN + (time.monotonic() - began) / MISDEED_INTERVAL:
            break
    with target.dial() as shunned:
        shunned.sendall(client_hello("a.test"))
        assert is_served(edge)
        shunned.settimeout(0.02)
        with pytest.raises(TimeoutError):
            shunned.recv(1)
        shunned.settimeout(10)
        assert shunned.recv(1)  # it is let in after a while: who shares the address is served, slowly


def test_a_flooder_costs_little(edge: EdgeProcess, source: str) -> None:
    """Whoever floods for two seconds gets less than a second of processor time for it."""
    before = cpu_seconds(edge.process.pid)
    target, until = Target(edge.https_port, source=source), time.monotonic() + 2
    while time.monotonic() < until:
        with contextlib.suppress(OSError, AssertionError), target.http2() as attacker:
            attacker.sock.settimeout(1)
            attacker.pour(FLOODS["rapid reset"]())
            attacker.read_until(lambda: False)
    assert cpu_seconds(edge.process.pid) - before < 1


def test_connections_of_one_client(small: EdgeProcess, source: str) -> None:
    """Beyond its limit the client's longest idle connections end; the newest and those of others stay."""
    with ExitStack() as stack:
        other = stack.enter_context(Visitor(dial_tls(small.https_port)))
        held = stack.enter_context(crowds.crowd(Target(small.https_port, source=source), 75, crowds.idle))
        assert 0 < count_open(held) <= 60
        assert is_open(held[-1])
        assert not is_open(held[0])
        assert other.send(GET).read().status == 200
        assert is_served(small, source)


def test_connections_of_all_clients(small: EdgeProcess, source: str) -> None:
    """Beyond the limit of the worker the longest idle connection of all ends, and a newcomer is served."""
    with ExitStack() as stack:
        held = []
        for number in range(4):
            target = Target(small.https_port, source=f"127.0.2.{number}")
            held += stack.enter_context(crowds.crowd(target, 40, crowds.idle))
        assert count_open(held) <= 100
        assert is_open(held[-1])
        assert is_served(small)


@pytest.mark.parametrize("opening", [crowds.silence, crowds.half_hello, crowds.slow_head, crowds.slow_head_http2])
def test_half_done_connections_give_way(small: EdgeProcess, opening: crowds.Opening, source: str) -> None:
    """Handshakes and heads that never end hold no place against a newcomer of the same client."""
    with crowds.crowd(Target(small.https_port, source=source), 130, opening) as held:
        assert is_served(small, source)
        assert is_served(small)
        assert count_open(held) <= 60


def test_busy_connections_do_not_give_way(small: EdgeProcess, source: str) -> None:
    """Where a client's connections are all in use, its newcomers are closed, and others are let in."""
    with crowds.crowd(Target(small.https_port, source=source), 60, crowds.slow_body) as held:
        assert count_open(held) == 60
        assert not is_served(small, source)
        assert is_served(small)
        assert count_open(held) == 60


CROWDS: dict[str, crowds.Opening] = {
    "silence": crowds.silence,
    "half hellos": crowds.half_hello,
    "idle": crowds.idle,
    "idle, HTTP/2": crowds.idle_http2,
    "slow heads": crowds.slow_head,
    "slow heads, HTTP/2": crowds.slow_head_http2,
    "slow bodies": crowds.slow_body,
    "unread pipelines": crowds.unread_pipeline,
}


@pytest.mark.parametrize("kind", CROWDS)
def test_a_crowd_that_takes_its_time(edge: EdgeProcess, kind: str, source: str) -> None:
    """Two hundred connections that hold on to what they have: others are served, memory stays bounded."""
    size = 40 if kind == "unread pipelines" else 200
    with MemoryWatch(edge) as memory, crowds.crowd(Target(edge.https_port, source=source), size, CROWDS[kind]):
        assert all(is_served(edge) for _ in range(5))
    assert memory.growth < MAX_GROWTH


HELD: dict[str, crowds.Opening] = {
    "zero windows": crowds.zero_window,
    "one-byte windows": crowds.one_byte_windows,
    "slow readers": crowds.slow_reader,
}


@pytest.mark.parametrize("kind", HELD)
def test_responses_that_nobody_takes(edge: EdgeProcess, kind: str, source: str) -> None:
    """Forty connections ask for a large file, HTTP/2 a hundred times each, and take nothing of it: memory stays bounded."""
    target = Target(edge.https_port, LARGE, source=source)
    with MemoryWatch(edge) as memory, crowds.crowd(target, 40, HELD[kind]):
        assert all(is_served(edge) for _ in range(5))
    assert memory.growth < MAX_GROWTH


def test_uploads_that_stand_still(edge: EdgeProcess, source: str) -> None:
    """A hundred on each of thirty connections: others are served, memory stays bounded."""
    target = Target(edge.https_port, source=source)
    with MemoryWatch(edge) as memory, crowds.crowd(target, 30, crowds.slow_body_http2):
        assert all(is_served(edge) for _ in range(5))
    assert memory.growth < MAX_GROWTH


def test_hellos_without_end(edge: EdgeProcess, source: str) -> None:
    """Clients that say hello and leave: everybody else gets handshakes in between."""
    with MemoryWatch(edge) as memory:
        assert crowds.hello_flood(Target(edge.https_port, source=source), time.monotonic() + 1)
        assert is_served(edge)
    assert memory.growth < MAX_GROWTH


def test_a_hundred_handshakes_begun_and_not_ended(edge: EdgeProcess, source: str) -> None:
    """All of a client's hellos at once do not keep another client's from being answered between them."""
    hello = client_hello("a.test")
    with crowds.crowd(Target(edge.https_port, source=source), 200, crowds.silence) as held:
        for sock in held:
            sock.sendall(hello)
        assert is_served(edge)
