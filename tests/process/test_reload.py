"""SIGHUP: a new generation on the same sockets, or everything stays as it was."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from pathlib import Path

import msgspec

from edge.config.schema import Config, Listen, Site
from tests.process.running import PATIENCE, Running, free_port, read_answer, running, sample_config


def with_names(config: Config, *names: str) -> Config:
    return msgspec.structs.replace(config, sites=(Site(names),))


class Load:
    """Three clients that ask one request after the other until told to stop; any failure is kept."""

    def __init__(self, edge: Running) -> None:
        self.answered = 0
        self.failures: list[Exception] = []
        self._edge = edge
        self._stop = threading.Event()
        self._clients = [threading.Thread(target=self._ask) for _ in range(3)]

    def __enter__(self) -> Load:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for client in self._clients:
            client.join()

    def _ask(self) -> None:
        while not self._stop.is_set():
            try:
                self._edge.ask()
                self.answered += 1
            except Exception as failure:
                self.failures.append(failure)


def test_no_request_is_lost_while_generations_change(tmp_path: Path) -> None:
    """Three reloads under load: every connection is accepted and every request answered."""
    config = sample_config(tmp_path)
    with running(config) as edge:
        with Load(edge) as load:
            for number in (2, 3, 4):
                edge.write(with_names(config, "a.test", f"b{number}.test"))
                edge.signal(signal.SIGHUP)
                edge.wait_log("serving", generation=number)
                edge.ask_until(lambda answer, name=f"b{number}.test": name in answer["names"])  # type: ignore[misc]
        assert load.failures == []
        assert load.answered > 0


def test_new_workers_know_the_new_names(tmp_path: Path) -> None:
    """A worker of the new generation has the certificates of its own configuration, and none of names that left it."""
    config = sample_config(tmp_path, "a.test", "old.test")
    with running(config) as edge:
        edge.write(msgspec.structs.replace(with_names(config, "a.test", "new.test"), workers=1))
        edge.signal(signal.SIGHUP)
        edge.wait_log("serving", generation=2)
        new = edge.ask_until(lambda answer: "new.test" in answer["names"])
        assert new["certificates"] == ["serial-of-a.test", "serial-of-new.test"]


def test_a_request_in_flight_finishes_in_the_old_generation(tmp_path: Path) -> None:
    """Old workers answer what they have begun, after the new ones have taken over."""
    config = sample_config(tmp_path, workers=1)
    with running(config) as edge, edge.connect("/hold") as held:
        old = edge.ask()["pid"]
        edge.write(with_names(config, "b.test"))
        edge.signal(signal.SIGHUP)
        edge.wait_log("serving", generation=2)
        held.sendall(b"!")
        answer = read_answer(held)
        assert answer["pid"] == old
        assert answer["names"] == ["a.test"]


def test_a_broken_configuration_changes_nothing(tmp_path: Path) -> None:
    """What cannot be used is reported in the words of the complaint, and the old workers serve on."""
    with running(sample_config(tmp_path)) as edge:
        before = set(edge.workers(2))
        edge.path.write_text("{not json")
        edge.signal(signal.SIGHUP)
        refusal = edge.wait_log("reload refused, serving as before")
        assert str(edge.path) in refusal["complaints"][0]
        assert set(edge.workers(2)) == before


def test_an_unknown_user_is_a_complaint(tmp_path: Path) -> None:
    """A user that does not exist is found before any worker is started."""
    config = sample_config(tmp_path)
    with running(config) as edge:
        edge.write(msgspec.structs.replace(config, user="no-such-user"))
        edge.signal(signal.SIGHUP)
        assert "no such user" in edge.wait_log("reload refused, serving as before")["complaints"][0]


def test_a_port_in_use_keeps_the_old_generation(tmp_path: Path) -> None:
    """A new address that is taken refuses the reload; the addresses that were fine are not left open."""
    config = sample_config(tmp_path, workers=1)
    with running(config) as edge:
        before = edge.ask()
        taken = Listen(("127.0.0.1", "127.0.0.2"), config.listen.http_port, config.listen.https_port)
        with _listening("127.0.0.2", config.listen.https_port):
            edge.write(msgspec.structs.replace(config, listen=taken))
            edge.signal(signal.SIGHUP)
            refusal = edge.wait_log("reload refused, serving as before")
        assert f"pid {os.getpid()}" in refusal["complaints"][0]
        assert edge.ask()["pid"] == before["pid"]
        supervisor = f"/proc/{edge.process.pid}/fd"
        sockets = [os.readlink(f"{supervisor}/{number}") for number in os.listdir(supervisor)]
        assert sum(link.startswith("socket:") for link in sockets) == 2 + 2 + 2, "listeners, signals, channels"


def test_workers_that_do_not_become_ready_are_given_up(tmp_path: Path) -> None:
    """When the new generation cannot start in time it is ended, and the keeper works for the old one again."""
    config = sample_config(tmp_path, "a.test", "old.test")
    with running(config, READY_TIMEOUT="0.5") as edge:
        before = set(edge.workers(2))
        edge.write(with_names(config, "a.test", "cannot-start.test"))
        edge.signal(signal.SIGHUP)
        edge.wait_log("new workers do not become ready, serving as before", generation=2)
        after = edge.workers(2)
        assert set(after) == before
        assert all("serial-of-old.test" in answer["certificates"] for answer in after.values())
        edge.write(with_names(config, "a.test", "b.test"))
        edge.signal(signal.SIGHUP)
        edge.wait_log("serving")
        assert edge.ask_until(lambda answer: "b.test" in answer["names"])["certificates"] == [
            "serial-of-a.test",
            "serial-of-b.test",
        ]


def test_addresses_come_and_go(tmp_path: Path) -> None:
    """A reload opens the addresses that are new and closes those that are gone: visitors there are refused, not kept waiting."""
    config = sample_config(tmp_path, workers=1)
    with running(config) as edge:
        moved = msgspec.structs.replace(config.listen, http_port=free_port())
        edge.write(msgspec.structs.replace(config, listen=moved))
        edge.signal(signal.SIGHUP)
        edge.wait_log("serving", generation=2)
        _wait_refused(edge)
        edge.config = msgspec.structs.replace(config, listen=moved)
        assert edge.ask()["names"] == ["a.test"]


def test_a_keeper_killed_during_a_reload_does_not_stop_it(tmp_path: Path) -> None:
    """The next keeper works for the new configuration, and new workers get their snapshot from it."""
    config = sample_config(tmp_path)
    with running(config) as edge:
        keeper = edge.keeper()
        edge.write(with_names(config, "b.test"))
        os.kill(keeper, signal.SIGSTOP)
        edge.signal(signal.SIGHUP)
        edge.wait_log("reloading")
        os.kill(keeper, signal.SIGKILL)
        edge.wait_log("serving", generation=2)
        assert edge.ask_until(lambda answer: "b.test" in answer["names"])["certificates"] == ["serial-of-b.test"]


def _listening(address: str, port: int) -> socket.socket:
    return socket.create_server((address, port))


def _wait_refused(edge: Running) -> None:
    """The old worker closes its copy of the socket a moment after it was told to drain."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            edge.connect().close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            continue  # it came into the queue in the very moment of the close
    raise AssertionError("the old address still takes connections")
