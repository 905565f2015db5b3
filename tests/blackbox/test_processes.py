"""The life of the process tree under load: what dies is replaced, what is told to stop stops in order."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blackbox.asking import ask, ask_on, connect_tls, is_alive, is_free, read_answer, status_field, wait_until
from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.load import HandshakeLoad, Http2Load, KeepAliveLoad
from tests.blackbox.recording_origin import RecordingOrigin
from tests.blackbox.slow_origin import SlowOrigin

REPLACED_WITHIN = 2.0
"""Seconds. The first death of a process that worked is answered at once."""


@pytest.fixture
def origin() -> Iterator[RecordingOrigin]:
    with RecordingOrigin() as running:
        yield running


@pytest.fixture
def slow_origin() -> Iterator[SlowOrigin]:
    with SlowOrigin() as running:
        yield running


def upstream(origin: RecordingOrigin | SlowOrigin) -> tuple[str, str]:
    return "--upstream", f"127.0.0.1:{origin.port}"


def send_slow_request(edge: EdgeProcess, origin: SlowOrigin) -> socket.socket:
    """A connection whose request has reached the origin and waits there."""
    sock = connect_tls(edge.https_port, "localhost")
    sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % edge.https_port)
    origin.wait_request()
    return sock


def wait_ended(edge: EdgeProcess, timeout: float) -> int:
    return edge.process.wait(timeout)


# -- deaths ------------------------------------------------------------------------------------------------------------


def test_a_killed_worker_costs_its_own_connections_only(tmp_path: Path, origin: RecordingOrigin) -> None:
    """Each client loses at most the request it had in flight; nobody is refused, and another worker is there soon."""
    with (
        EdgeProcess(tmp_path, *upstream(origin)) as edge,
        KeepAliveLoad(edge.https_port, "localhost", clients=4) as load,
    ):
        for victim in edge.workers():
            load.wait_answered(50)
            failures = len(load.failures)
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: len(edge.workers()) == 2 and victim not in edge.workers(), REPLACED_WITHIN)  # noqa: B023  # called at once
            load.wait_answered(50)
            assert len(load.failures) - failures <= 4
        lost = len(load.failures)
        load.wait_answered(300)
        assert len(load.failures) == lost
        assert not [failure for failure in load.failures if "refused" in failure]


def test_serving_goes_on_without_a_keeper(tmp_path: Path, origin: RecordingOrigin) -> None:
    """A dead keeper costs no request; a worker that dies meanwhile is back, with certificates, once the keeper is."""
    with (
        EdgeProcess(tmp_path, *upstream(origin)) as edge,
        KeepAliveLoad(edge.https_port, "localhost", clients=2) as requests,
        Http2Load(edge.https_port, "localhost", clients=1) as streams,
    ):
        for _ in range(2):  # the second death comes too soon after the first: the third keeper takes a second to come
            keeper = edge.keeper()
            os.kill(keeper, signal.SIGKILL)
            wait_until(lambda: not is_alive(keeper))  # noqa: B023  # called at once
            requests.wait_answered(30)
            streams.wait_answered(30)
            wait_until(edge.keeper, REPLACED_WITHIN)
        os.kill(edge.keeper(), signal.SIGKILL)
        assert (requests.failures, streams.failures) == ([], [])
        for worker in edge.workers():
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda: edge.keeper() and len(edge.workers()) == 2, 10.0)
        edge.wait_ready()
        with HandshakeLoad(edge.https_port, "localhost") as handshakes:
            handshakes.wait_answered(50)
        assert handshakes.failures == []


def test_without_a_supervisor_nothing_stays_behind(tmp_path: Path, origin: RecordingOrigin) -> None:
    """However the supervisor ends, its children end too and the ports are free for the next start."""
    edge = EdgeProcess(tmp_path, *upstream(origin)).start().wait_ready()
    tree = edge.processes()
    edge.process.kill()
    assert edge.stop() == -signal.SIGKILL
    wait_until(lambda: not any(is_alive(pid) for pid in tree), what="the end of all children")
    wait_until(lambda: is_free(edge.http_port) and is_free(edge.https_port))
    assert "Traceback" not in edge.output


def test_a_request_in_flight_outlives_the_supervisor(tmp_path: Path, slow_origin: SlowOrigin) -> None:
    """A worker that loses its supervisor finishes what it has begun, then ends."""
    edge = EdgeProcess(tmp_path, *upstream(slow_origin)).start().wait_ready()
    workers = edge.workers()
    with send_slow_request(edge, slow_origin) as sock:
        edge.process.kill()
        edge.process.wait()
        slow_origin.answer()
        assert read_answer(sock).body == b"slow\n"
    wait_until(lambda: not any(is_alive(pid) for pid in workers), what="the end of all workers")
    edge.stop()


# -- stopping ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "to_all"),
    [(signal.SIGTERM, False), (signal.SIGTERM, True), (signal.SIGINT, True)],
    ids=["kill", "systemd", "Ctrl-C"],
)
def test_a_stop_finishes_what_is_in_flight(
    tmp_path: Path, slow_origin: SlowOrigin, number: signal.Signals, to_all: bool
) -> None:
    """SIGTERM (systemd sends it to the whole group) and Ctrl-C let a slow request finish; then exit status 0, ports free."""
    edge = EdgeProcess(tmp_path, *upstream(slow_origin)).start().wait_ready()
    with send_slow_request(edge, slow_origin) as sock:
        os.killpg(edge.process.pid, number) if to_all else edge.process.send_signal(number)
        edge.wait_for("stopping")
        wait_until(lambda: is_free(edge.https_port), what="the end of listening")
        assert edge.process.poll() is None
        slow_origin.answer()
        assert read_answer(sock).body == b"slow\n"
    assert edge.stop() == 0
    assert "Traceback" not in edge.output


def test_asked_twice_it_hurries(tmp_path: Path, slow_origin: SlowOrigin) -> None:
    """The second signal ends what is in flight, visibly for its client, and is still an orderly stop."""
    edge = EdgeProcess(tmp_path, *upstream(slow_origin)).start().wait_ready()
    with send_slow_request(edge, slow_origin) as sock:
        edge.process.send_signal(signal.SIGTERM)
        edge.wait_for("stopping")
        edge.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert edge.stop(timeout=10) == 0
        assert time.monotonic() - began < 5
        with pytest.raises((OSError, http.client.HTTPException)):
            read_answer(sock)


def test_an_idle_keep_alive_connection_delays_no_stop(tmp_path: Path, origin: RecordingOrigin) -> None:
    """Connections without a request are closed in order within a few seconds."""
    edge = EdgeProcess(tmp_path, *upstream(origin)).start().wait_ready()
    with connect_tls(edge.https_port, "localhost") as used, connect_tls(edge.https_port, "localhost") as unused:
        assert ask_on(used, "localhost", edge.https_port, "/").status == 200
        began = time.monotonic()
        assert edge.stop() == 0
        assert time.monotonic() - began < 5
        assert used.recv(1) == b""
        assert unused.recv(1) == b""


def test_a_stop_at_once_after_the_start_is_orderly(tmp_path: Path, origin: RecordingOrigin) -> None:
    """Whatever moment the signal meets, before workers are ready too: exit status 0 and no traceback."""
    for words in ("certificate progress", '"serving"'):
        edge = EdgeProcess(tmp_path, *upstream(origin)).start()
        edge.wait_for(words)
        assert edge.stop(timeout=15) == 0, edge.output
        assert "Traceback" not in edge.output
        edge.storage.rename(tmp_path / words.strip('"'))


# -- rights ------------------------------------------------------------------------------------------------------------


def test_the_site_answers_again_after_every_process_was_killed_in_turn(tmp_path: Path, origin: RecordingOrigin) -> None:
    """Keeper and workers all gone at the same moment: the supervisor builds everything anew."""
    with EdgeProcess(tmp_path, *upstream(origin)) as edge:
        edge.wait_for('"certificate issued"')
        for pid in [edge.keeper(), *edge.workers()]:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: edge.keeper() and len(edge.workers()) == 2, 10.0)
        edge.wait_ready()
        assert ask(edge.https_port, root=edge.root.read_bytes()).body == b"ok\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_while_the_code_is_loaded_is_orderly(tmp_path: Path, number: signal.Signals) -> None:
    """From the first line of ours on: exit status 0, nothing said. (Before it, Python itself is being loaded.)"""
    edge = EdgeProcess(tmp_path).start()
    wait_until(lambda: _listens_to_signals(edge.process.pid) or edge.output)
    edge.process.send_signal(number)
    assert edge.stop() == 0
    assert "Traceback" not in edge.output


def _listens_to_signals(pid: int) -> bool:
    """Whether the process has a handler of its own for SIGTERM, as it has from our first line on."""
    (mask,) = status_field(pid, "SigCgt")
    return bool(int(mask, 16) & 1 << (signal.SIGTERM - 1))
