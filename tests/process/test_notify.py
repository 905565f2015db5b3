"""What a service manager hears, from a notify socket of our own and from the real supervisor."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import msgspec
import pytest

from edge.config.schema import Site
from edge.process.notify import MAX_STATUS, Notifier, take_notifier
from tests.process.running import running, sample_config
from tests.process.service_manager import NotifySocket

WATCHDOG = 1.0
"""Seconds: two hundred times longer than a loop needs to say that it turns, short enough to wait for."""


def test_a_service_hears_ready_reload_and_stop(tmp_path: Path) -> None:
    """READY when workers serve; around a reload RELOADING with the moment, then READY; STOPPING at the end."""
    config = sample_config(tmp_path)
    with NotifySocket(tmp_path) as manager, running(config, environ=manager.environment) as edge:
        ready = manager.wait("READY")
        assert f"127.0.0.1:{config.listen.https_port}" in ready["STATUS"]
        assert edge.ask()["names"] == ["a.test"]
        before = time.monotonic_ns() // 1000
        edge.signal(signal.SIGHUP)
        reloading = manager.wait("RELOADING")
        assert before <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        assert "READY" in manager.wait("STATUS")
        edge.signal(signal.SIGTERM)
        assert manager.wait("STOPPING")["STOPPING"] == "1"
        assert edge.process.wait(20) == 0


def test_a_refused_reload_ends_too(tmp_path: Path) -> None:
    """READY comes also when the configuration is broken: a service manager waits for it."""
    with NotifySocket(tmp_path) as manager, running(sample_config(tmp_path), environ=manager.environment) as edge:
        manager.wait("READY")
        edge.path.write_text("{not json")
        edge.signal(signal.SIGHUP)
        manager.wait("RELOADING")
        assert "refused" in manager.wait("READY")["STATUS"]


def test_reload_that_is_given_up_ends_too(tmp_path: Path) -> None:
    """READY comes also when the new workers never serve."""
    config = sample_config(tmp_path)
    with NotifySocket(tmp_path) as manager, running(config, READY_TIMEOUT="0.3", environ=manager.environment) as edge:
        manager.wait("READY")
        edge.write(msgspec.structs.replace(config, sites=(Site(("cannot-start.test",)),)))
        edge.signal(signal.SIGHUP)
        assert "failed" in manager.wait("READY")["STATUS"]


def test_the_watchdog_is_fed_while_everybody_lives(tmp_path: Path) -> None:
    """Without a watchdog nobody says WATCHDOG; with one it comes again and again."""
    with (
        NotifySocket(tmp_path, WATCHDOG) as manager,
        running(sample_config(tmp_path), environ=manager.environment) as edge,
    ):
        for _ in range(3):
            assert manager.wait("WATCHDOG") == {"WATCHDOG": "1"}
        assert edge.stop() == 0


@pytest.mark.parametrize("who", ["worker", "keeper"])
def test_a_process_that_hangs_is_replaced(tmp_path: Path, who: str) -> None:
    """A worker or keeper whose loop does not turn is killed and replaced, and the watchdog is fed again."""
    with (
        NotifySocket(tmp_path, WATCHDOG) as manager,
        running(sample_config(tmp_path), environ=manager.environment) as edge,
    ):
        workers = edge.workers(2)
        victim = min(workers) if who == "worker" else edge.keeper()
        os.kill(victim, signal.SIGSTOP)
        assert edge.wait_log("process hangs, killing it", child=who)["child_pid"] == victim
        edge.wait_log("process ended unexpectedly", child=who)
        manager.wait("WATCHDOG")
        if who == "worker":
            edge.ask_until(lambda answer: answer["pid"] not in workers)
        else:
            assert edge.keeper() != victim


def test_an_upgrade_hands_the_service_over(tmp_path: Path) -> None:
    """The old edge names the new main process before it leaves; the new one says READY after that, and feeds the watchdog."""
    with (
        NotifySocket(tmp_path, WATCHDOG) as manager,
        running(sample_config(tmp_path), environ=manager.environment) as edge,
    ):
        manager.wait("READY")
        edge.signal(signal.SIGUSR2)
        main = int(manager.wait("MAINPID")["MAINPID"])
        try:
            assert main != edge.process.pid
            assert "READY" in manager.wait("STATUS")
            assert edge.process.wait(20) == 0
            manager.wait("WATCHDOG")
        finally:
            os.kill(main, signal.SIGTERM)
        assert "STOPPING" in manager.wait("STATUS")


def test_nobody_is_told_without_a_socket() -> None:
    """A notifier without an address is silent, and one whose socket is gone is too."""
    Notifier().ready("serving")
    Notifier("/nowhere/notify.sock", 1.0).alive()
    assert Notifier("", 5.0).watchdog == 0.0


def test_an_abstract_address(tmp_path: Path) -> None:
    """`@` stands for the zero byte with which addresses outside the file system begin."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0edge-test-{os.getpid()}")
        Notifier(f"@edge-test-{os.getpid()}").stopping()
        assert sock.recv(100).startswith(b"STOPPING=1\n")


def test_a_status_stays_one_line() -> None:
    """A line end within the text would be another variable."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0edge-test-{os.getpid()}")
        Notifier(f"@edge-test-{os.getpid()}").ready("one\nMAINPID=1" + "x" * 1000)
        lines = sock.recv(10_000).decode().splitlines()
    assert lines[0] == "READY=1"
    assert len(lines) == 2
    assert len(lines[1]) <= MAX_STATUS + len("STATUS=")


@pytest.mark.parametrize(
    ("environ", "address", "watchdog"),
    [
        ({}, "", 0.0),
        ({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "3000000"}, "/run/notify", 3.0),
        ({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, "/run/notify", 3.0),
        ({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"}, "/run/notify", 0.0),
        ({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "-1"}, "/run/notify", 0.0),
        ({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "٣"}, "/run/notify", 0.0),
        ({"NOTIFY_SOCKET": "vsock:2:1234"}, "", 0.0),
        ({"NOTIFY_SOCKET": "/" + "x" * 200}, "", 0.0),
        ({"WATCHDOG_USEC": "3000000"}, "", 0.0),
    ],
)
def test_the_environment_is_read_once(environ: dict[str, str], address: str, watchdog: float) -> None:
    """What makes no sense counts as nothing said, and no program that we start sees the variables."""
    notifier = take_notifier(environ, pid=7)
    assert (notifier.address, notifier.watchdog) == (address, watchdog)
    assert environ == {}
