"""The machine fails below edge: no descriptors, no disk, no memory, no names, a clock that jumps, a log that is moved away.

In each: what is served goes on, what was acknowledged is kept, and when the fault is over everything works again without
anybody's help. Limits are set on the running processes (`prlimit`), so that a fault begins and ends while visitors are there.
Deaths of processes are in `test_processes`, failures of applications in `test_mixed_exchanges`, crashes in the middle of an order
in `test_certificate_crashes`.
"""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.blackbox.acme_site import ISSUED, acme_edge, served_certificate, wait_issued
from tests.blackbox.asking import (
    Answer,
    ask,
    ask_on,
    connect_tls,
    is_alive,
    open_descriptors,
    read_answer,
    status_field,
    wait_until,
)
from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.load import KeepAliveLoad
from tests.blackbox.recording_origin import RecordingOrigin
from tests.pebble import Pebble


@pytest.fixture
def origin() -> Iterator[RecordingOrigin]:
    with RecordingOrigin() as running:
        yield running


def upstream(origin: RecordingOrigin) -> tuple[str, str]:
    return "--upstream", f"127.0.0.1:{origin.port}"


def mounted(script: str) -> list[str]:
    """A launcher for a world of its own in which `script` has mounted something. With `-r` it needs no rights, where allowed.

    Skips the test in a container that allows no mounts.
    """
    alone = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["-r"])]
    if subprocess.run([*alone, "mount", "--bind", "/tmp", "/tmp"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no mounts of our own")
    return [*alone, "sh", "-ec", f'{script}; exec "$@"', "sh"]


@contextmanager
def limited(pids: list[int], kind: int, value: int) -> Iterator[None]:
    """These processes have no more than `value` of something while the block runs."""
    before = {pid: resource.prlimit(pid, kind) for pid in pids}
    for pid, (_, hard) in before.items():
        resource.prlimit(pid, kind, (value, hard))
    try:
        yield
    finally:
        for pid, limits in before.items():
            if is_alive(pid):
                resource.prlimit(pid, kind, limits)


# -- descriptors -------------------------------------------------------------------------------------------------------


def test_without_descriptors_those_who_are_in_are_served(tmp_path: Path, origin: RecordingOrigin) -> None:
    """Accepting pauses, connections that are open go on, whoever knocks waits; as soon as somebody leaves, the next one is in."""
    with EdgeProcess(tmp_path, *upstream(origin), workers=1) as edge, ExitStack() as stack:
        (worker,) = edge.workers()
        inside = stack.enter_context(connect_tls(edge.https_port, "localhost"))
        assert ask_on(inside, "localhost", edge.https_port, "/").status == 200
        stack.enter_context(limited([worker], resource.RLIMIT_NOFILE, len(open_descriptors(worker)) + 20))
        crowd = [stack.enter_context(socket.create_connection(("127.0.0.1", edge.https_port))) for _ in range(60)]
        edge.wait_for("accepting paused")
        for _ in range(20):
            assert ask_on(inside, "localhost", edge.https_port, "/").status == 200
        answers: list[Answer] = []
        waiting = threading.Thread(target=lambda: answers.append(ask(edge.https_port)))
        waiting.start()
        assert not answers
        for each in crowd:
            each.close()
        waiting.join()
        assert [answer.status for answer in answers] == [200]
        assert edge.workers() == [worker]


def test_supervisor_and_keeper_without_descriptors_come_to_themselves(tmp_path: Path, origin: RecordingOrigin) -> None:
    """A worker that dies meanwhile cannot be replaced, so others serve; when there are descriptors again it is."""
    with EdgeProcess(tmp_path, *upstream(origin)) as edge:
        edge.wait_for(ISSUED)
        victim, survivor = edge.workers()
        with limited([edge.process.pid, edge.keeper()], resource.RLIMIT_NOFILE, 4):
            os.kill(victim, 9)
            edge.wait_for("cannot fork")
            assert edge.workers() == [survivor]
            assert ask(edge.https_port, root=edge.root.read_bytes()).status == 200
        wait_until(lambda: len(edge.workers()) == 2, what="the second worker")
        assert ask(edge.https_port, root=edge.root.read_bytes()).status == 200


# -- disk --------------------------------------------------------------------------------------------------------------


def test_a_full_disk_costs_no_certificate(tmp_path: Path) -> None:
    """Without room visitors are served and the CA is not stormed; with room again renewals follow by themselves."""
    with (
        Pebble(profiles={"blink": 8}, nonce_reject=0) as pebble,
        acme_edge(tmp_path, pebble, "--domain", "disk.test", workers=1) as edge,
    ):
        wait_issued(edge)
        with limited([edge.keeper()], resource.RLIMIT_FSIZE, 0):
            edge.wait_for("certificate attempt failed")
            assert '"phase":"save"' in edge.output
            served_certificate(edge.https_port, "disk.test")
            orders = pebble.requests("/order-plz")
        wait_issued(edge, edge.output.count(ISSUED) + 1)
        served_certificate(edge.https_port, "disk.test", pebble.root())
        assert pebble.requests("/order-plz") <= orders + 1


def test_read_only_storage_serves_what_is_on_it(tmp_path: Path) -> None:
    """A start with a storage that is mounted read-only serves the certificate from disk; the keeper lives."""
    with Pebble(nonce_reject=0) as pebble:
        with acme_edge(tmp_path, pebble, "--domain", "still.test", workers=1) as edge:
            wait_issued(edge)
        again = acme_edge(tmp_path, pebble, "--domain", "still.test", workers=1)
        again.launcher = mounted(
            f'mount --bind "{edge.storage}" "{edge.storage}"; mount -o remount,ro,bind "{edge.storage}"'
        )
        with again:
            keeper = again.keeper()
            served_certificate(again.https_port, "still.test", pebble.root())
            assert not os.access(f"/proc/{keeper}/root{edge.storage}", os.W_OK)
            assert again.keeper() == keeper
        assert pebble.requests("/order-plz") == 1


# -- the access log ----------------------------------------------------------------------------------------------------


def statuses(*files: Path) -> int:
    """Answers that are written down in all of these files."""
    return sum(file.read_bytes().count(b'"status":200') for file in files if file.exists())


def test_an_access_log_that_is_moved_away_is_begun_anew(tmp_path: Path, origin: RecordingOrigin) -> None:
    """Without any signal: moved, deleted, or replaced by a file that is there already; every answer is in exactly one file."""
    with EdgeProcess(tmp_path, *upstream(origin)) as edge:
        log, first, second = edge.access_log, tmp_path / "access.1", tmp_path / "access.2"
        with KeepAliveLoad(edge.https_port, "localhost") as load:
            load.wait_answered(20)
            log.rename(first)
            wait_until(log.exists, what="a new access log")
            wait_until(lambda: statuses(log), what="its first line")
            fresh = tmp_path / "fresh"
            fresh.touch()
            os.link(log, second)
            fresh.rename(log)
            wait_until(lambda: statuses(log), what="the first line in a file that somebody else has made")
        assert load.failures == []
    assert statuses(first, second, log) == len(origin.requests)


def test_a_log_directory_that_goes_and_comes_back(tmp_path: Path, origin: RecordingOrigin) -> None:
    """Serving does not depend on it; it is said once, and the log goes on where it was."""
    logs = tmp_path / "logs"
    logs.mkdir()
    edge = EdgeProcess(tmp_path, *upstream(origin))
    edge.access_log = logs / "access.log"
    with edge:
        logs.rename(tmp_path / "away")
        edge.wait_for("access log cannot be made anew")
        assert ask(edge.https_port).status == 200
        logs.mkdir()
        wait_until(
            lambda: ask(edge.https_port).status == 200 and statuses(edge.access_log), what="a line in the new log"
        )
        assert edge.output.count("access log cannot be made anew") == 1


def test_a_log_on_a_full_disk_stops_nobody(tmp_path: Path, origin: RecordingOrigin) -> None:
    """Lines are dropped, one complaint a minute says how many; requests are answered."""
    edge = EdgeProcess(tmp_path, *upstream(origin), workers=1)
    edge.access_log = Path("/dev/full")
    with edge, KeepAliveLoad(edge.https_port, "localhost") as load:
        edge.wait_for("access log lines dropped")
        load.wait_answered(100)
        assert load.failures == []
        assert edge.output.count("access log lines dropped") == 1
        assert "No space left on device" in edge.output


# -- memory ------------------------------------------------------------------------------------------------------------


def test_a_worker_without_memory_comes_to_itself(tmp_path: Path, origin: RecordingOrigin) -> None:
    """It refuses what it has no room for, or dies and is replaced: afterwards everybody is served, and nothing else has died."""
    with EdgeProcess(tmp_path, *upstream(origin), workers=2) as edge:
        edge.wait_for(ISSUED)
        supervisor, keeper = edge.process.pid, edge.keeper()
        workers = edge.workers()
        room = max(int(status_field(worker, "VmSize")[0]) for worker in workers) * 1024 + (1 << 20)
        with limited(workers, resource.RLIMIT_AS, room), ExitStack() as stack:
            for _ in range(60):
                try:
                    sock = stack.enter_context(connect_tls(edge.https_port, "localhost"))
                    sock.sendall(
                        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 400000\r\n\r\n" + b"x" * 300_000
                    )
                except OSError:
                    continue
        wait_until(lambda: len(edge.workers()) == 2, what="two workers")
        edge.wait_ready()
        for _ in range(20):
            assert ask(edge.https_port).status == 200
        assert (edge.process.pid, edge.keeper()) == (supervisor, keeper)


# -- names and clocks --------------------------------------------------------------------------------------------------


@pytest.fixture
def silent_name_server() -> Iterator[str]:
    """The address of one that takes questions and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("127.0.0.153", 53))
        except PermissionError:
            pytest.skip("this user may not listen at port 53, the only one that resolv.conf can mean")
        yield "127.0.0.153"


def test_a_dead_name_server_stops_only_who_was_never_known(
    tmp_path: Path, origin: RecordingOrigin, silent_name_server: str
) -> None:
    """An application known by name is reached with the last good address; when names have addresses again they are used."""
    hosts, resolver, config = (tmp_path / name for name in ("hosts", "resolv.conf", "edge.toml"))
    hosts.write_text("127.0.0.1 localhost app.test\n")
    resolver.write_text(f"nameserver {silent_name_server}\n")
    config.write_text(
        f"""
        [[site]]
        names = "localhost"
        upstream = "app.test:{origin.port}"

        [[site.route]]
        path = "/other"
        upstream = "other.test:{origin.port}"
        """
    )
    edge = EdgeProcess(tmp_path, "--config", str(config), workers=1)
    edge.launcher = mounted(f'mount --bind "{hosts}" /etc/hosts; mount --bind "{resolver}" /etc/resolv.conf')
    origin.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"  # so that each asks again
    with edge, KeepAliveLoad(edge.https_port, "localhost", clients=1) as load:
        load.wait_answered(10)
        hosts.write_text("127.0.0.1 localhost\n")
        with connect_tls(edge.https_port, "localhost") as stranger:
            stranger.sendall(b"GET /other HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % edge.https_port)
            begin = time.monotonic()
            while time.monotonic() < begin + 7.0:  # longer than an answer is used without a question
                load.wait_answered(10)
            hosts.write_text("127.0.0.1 localhost app.test other.test\n")
            assert read_answer(stranger).status in (200, 502, 503, 504)
        wait_until(
            lambda: ask(edge.https_port, target="/other").status == 200, 30.0, "an answer from the other application"
        )
        assert load.failures == []


def fake_clock(file: Path) -> dict[str, str]:
    """An environment in which the wall clock, and it alone, is off by what `file` says (libfaketime)."""
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


@pytest.mark.parametrize("jump", ["-400d", "+400d"])
def test_a_clock_that_jumps_fails_no_request(tmp_path: Path, origin: RecordingOrigin, jump: str) -> None:
    """Deadlines do not follow the wall clock: whoever is connected stays connected, and no process dies. Renewals do, within a
    minute: `test_manager` has them in virtual time."""
    clock = tmp_path / "clock"
    clock.write_text("+0d")
    edge = EdgeProcess(tmp_path, *upstream(origin), "--confinement", "off", env=fake_clock(clock))
    with edge:
        edge.wait_for(ISSUED)
        before = edge.processes()
        with KeepAliveLoad(edge.https_port, "localhost", clients=2) as load:
            load.wait_answered(50)
            clock.write_text(jump)
            jumped = datetime.now(UTC) + timedelta(days=int(jump[:-1]))
            wait_until(lambda: b'"time":"%d-' % jumped.year in edge.access_log.read_bytes(), what="the jump in the log")
            load.wait_answered(300)
            clock.write_text("+0d")
            load.wait_answered(100)
            assert load.failures == []
        assert edge.processes() == before
