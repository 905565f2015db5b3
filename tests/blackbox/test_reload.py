"""SIGHUP and log rotation under load: nothing is refused, broken or forgotten; what cannot be used changes nothing."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blackbox.asking import ask, ask_plain, is_free, open_descriptors, status_field, wait_until
from tests.blackbox.edge_process import EdgeProcess, free_port
from tests.blackbox.load import HandshakeLoad, Http2Load, KeepAliveLoad
from tests.blackbox.recording_origin import RecordingOrigin

SERVING, REFUSED = '"event":"serving"', '"event":"reload refused, serving as before"'

MEMORY_LEEWAY = 8 * 1024 * 1024
"""Bytes by which a tree of four processes may differ from itself; a leaked generation would be ten times as much."""


@pytest.fixture
def origin() -> Iterator[RecordingOrigin]:
    with RecordingOrigin() as running:
        yield running


@pytest.fixture
def new_origin() -> Iterator[RecordingOrigin]:
    with RecordingOrigin(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnew\n") as running:
        yield running


class Configured:
    """An edge whose file changes. What may change is not given by flags, which would win."""

    def __init__(self, tmp_path: Path) -> None:
        self.path = tmp_path / "edge.toml"
        self.edge = EdgeProcess(tmp_path, "--config", str(self.path), all_flags=False)

    def write(self, sites: str, *, listen: str = "") -> None:
        """`sites` are [[site]] tables; `listen` replaces what stands in the [listen] table."""
        edge = self.edge
        usual = f'bind = "127.0.0.1"\nhttp_port = {edge.http_port}\nhttps_port = {edge.https_port}\n'
        self.path.write_text(f'[server]\nstorage = "{edge.storage}"\n[listen]\n{listen or usual}\n{sites}')

    def reload(self, outcome: str = SERVING) -> None:
        """SIGHUP, until edge has said the outcome once more."""
        self.edge.wait_for(SERVING)  # it answers a little before it says so: that must not count as the outcome
        before = self.edge.output.count(outcome)
        self.edge.process.send_signal(signal.SIGHUP)
        self.edge.wait_until(lambda: self.edge.output.count(outcome) > before)

    def get(self, target: str = "/", name: str = "localhost") -> bytes:
        return ask(self.edge.https_port, name, target).body


@pytest.fixture
def configured(tmp_path: Path) -> Configured:
    return Configured(tmp_path)


def site(origin: RecordingOrigin, *more: str) -> str:
    return "\n".join(['[[site]]\nnames = "localhost"', f'upstream = "127.0.0.1:{origin.port}"', *more, ""])


def test_no_request_is_lost_over_several_reloads(tmp_path: Path, origin: RecordingOrigin) -> None:
    """Five generations under keep-alive, HTTP/2 and handshake load at once: not one failure."""
    with (
        EdgeProcess(tmp_path, "--upstream", f"127.0.0.1:{origin.port}") as edge,
        KeepAliveLoad(edge.https_port, "localhost") as requests,
        Http2Load(edge.https_port, "localhost", clients=2) as streams,
        HandshakeLoad(edge.https_port, "localhost", clients=1) as handshakes,
    ):
        for number in range(2, 7):
            edge.process.send_signal(signal.SIGHUP)
            edge.wait_for(f'"serving","generation":{number},')
            for load in (requests, streams, handshakes):
                load.wait_answered(30)
        assert (requests.failures, streams.failures, handshakes.failures) == ([], [], [])


def test_signals_in_quick_succession_end_in_the_last_configuration(
    configured: Configured, origin: RecordingOrigin, new_origin: RecordingOrigin
) -> None:
    """A signal that comes while a reload is going on is not lost."""
    configured.write(site(origin))
    with configured.edge as edge:
        for _ in range(10):
            edge.process.send_signal(signal.SIGHUP)
        configured.write(site(new_origin))
        edge.process.send_signal(signal.SIGHUP)
        wait_until(lambda: configured.get() == b"new\n")
        wait_until(lambda: len(edge.workers()) == 2)
        assert {configured.get() for _ in range(20)} == {b"new\n"}


def test_a_reload_right_after_the_start_does_no_harm(configured: Configured, origin: RecordingOrigin) -> None:
    """A service manager may ask for it before edge is ready to hear; the start has read the file anyway."""
    configured.write(site(origin))
    edge = configured.edge.start()
    wait_until(lambda: _ignores_hangup(edge) or SERVING in edge.output)
    edge.process.send_signal(signal.SIGHUP)
    edge.process.send_signal(signal.SIGUSR1)
    edge.wait_ready()
    assert configured.get() == b"ok\n"
    assert edge.stop() == 0


def _ignores_hangup(edge: EdgeProcess) -> bool:
    (mask,) = status_field(edge.process.pid, "SigIgn")
    return bool(int(mask, 16) & 1 << (signal.SIGHUP - 1))


def test_a_changed_configuration_is_served(
    configured: Configured, tmp_path: Path, origin: RecordingOrigin, new_origin: RecordingOrigin
) -> None:
    """Another upstream, a new static directory and a new site with its certificate, without a lost request."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file.txt").write_text(f"{name}\n")
    configured.write(site(origin))
    with configured.edge as edge, KeepAliveLoad(edge.https_port, "localhost") as load:
        load.wait_answered(10)
        second = '[[site]]\nnames = "b.localhost"\nstatic = { "/" = "two" }\n'
        configured.write(site(new_origin, 'static = { "/one" = "one" }') + second)
        configured.reload()
        load.wait_answered(10)
        assert configured.get() == b"new\n"
        assert configured.get("/one/file.txt") == b"one\n"
        root = edge.root.read_bytes()
        wait_until(lambda: '"certificate issued","name":"b.localhost"' in edge.output)
        assert ask(edge.https_port, "b.localhost", "/file.txt", root).body == b"two\n"
        configured.write(site(new_origin))
        configured.reload()
        wait_until(lambda: len(edge.workers()) == 2)
        with pytest.raises(OSError, match=r"(?i)unrecognized.name"):
            configured.get(name="b.localhost")
        assert load.failures == []


def test_other_ports_are_opened_and_the_old_ones_given_back(configured: Configured, origin: RecordingOrigin) -> None:
    """New addresses serve before the old ones end."""
    configured.write(site(origin))
    with configured.edge as edge:
        old_ports = edge.http_port, edge.https_port
        edge.http_port, edge.https_port = free_port(), free_port()
        configured.write(site(origin))
        configured.reload()
        assert configured.get() == b"ok\n"
        assert ask_plain(edge.http_port).status == 308
        wait_until(lambda: all(map(is_free, old_ports)), what="the end of the old listeners")


def test_one_address_becomes_all_and_one_again(configured: Configured, origin: RecordingOrigin) -> None:
    """A wider or narrower `bind` on the same ports is no port in use: whoever holds it is edge itself."""
    configured.write(site(origin))
    with configured.edge as edge:
        configured.write(site(origin), listen=f"http_port = {edge.http_port}\nhttps_port = {edge.https_port}")
        with KeepAliveLoad(edge.https_port, "localhost", clients=1) as load:
            configured.reload()
            load.wait_answered(20)
            configured.write(site(origin))
            configured.reload()
            load.wait_answered(20)
        assert configured.get() == b"ok\n"


BROKEN = {
    "[[site]]\n x": "not valid TOML",
    '[[site]]\nnmaes = "localhost"': "did you mean 'names'",
    '[[site]]\nstatic = { "/s" = "missing" }': "does not exist",
    '[server]\nstorage = "elsewhere"': "until edge is started anew",
}


def test_a_broken_file_changes_nothing(configured: Configured, origin: RecordingOrigin) -> None:
    """The complaint is logged, the old generation goes on, and the next good file is taken."""
    configured.write(site(origin))
    with configured.edge as edge:
        before = edge.processes()
        for text, complaint in BROKEN.items():
            configured.path.write_text(text)
            configured.reload(REFUSED)
            assert complaint in edge.output
            assert configured.get() == b"ok\n"
        assert edge.processes() == before
        configured.write(site(origin))
        configured.reload()
        assert configured.get() == b"ok\n"


def test_a_port_in_use_in_the_new_file_changes_nothing(configured: Configured, origin: RecordingOrigin) -> None:
    """The holder is named, and the old ports go on."""
    configured.write(site(origin))
    with socket.create_server(("127.0.0.1", 0)) as busy, configured.edge as edge:
        port = busy.getsockname()[1]
        configured.write(site(origin), listen=f'bind = "127.0.0.1"\nhttp_port = 0\nhttps_port = {port}')
        configured.reload(REFUSED)
        assert f"127.0.0.1:{port} is already used by" in edge.output
        assert f"pid {os.getpid()}" in edge.output
        assert configured.get() == b"ok\n"
        assert ask_plain(edge.http_port).status == 308


def test_a_rotated_access_log_loses_no_line(tmp_path: Path, origin: RecordingOrigin) -> None:
    """Rename, SIGUSR1, as logrotate does it, thrice under load: every answer is in exactly one of the files."""
    with EdgeProcess(tmp_path, "--upstream", f"127.0.0.1:{origin.port}") as edge:
        log = edge.access_log
        with KeepAliveLoad(edge.https_port, "localhost") as load:
            for number in range(3):
                load.wait_answered(50)
                log.rename(tmp_path / f"access.{number}")
                edge.process.send_signal(signal.SIGUSR1)
                wait_until(log.exists, what="a new access log")
                wait_until(lambda: not _has_open(edge.workers(), f"access.{number}"), what="letting go of the old one")  # noqa: B023  # called at once
        assert load.failures == []
    lines = b"".join(path.read_bytes() for path in (*tmp_path.glob("access.[0-9]"), log))
    assert lines.count(b'"status":200') == len(origin.requests)
    assert (
        load.answered <= len(origin.requests) <= load.answered + 3
    )  # a client may stop before it has read its last one


def _has_open(pids: list[int], name: str) -> bool:
    return any(name in path for pid in pids for path in open_descriptors(pid))


def test_descriptors_and_memory_stay_flat(tmp_path: Path) -> None:
    """Twenty generations leave nothing behind: no descriptor, no process, no memory."""
    with EdgeProcess(tmp_path, "--static", f"/={tmp_path}") as edge:
        edge.wait_for('"certificate issued"')
        _reload(edge, 2)
        descriptors, memory = _descriptors(edge), edge.memory()
        _reload(edge, 20)
        # A leak would be one in each generation; a connection that is just being closed is none.
        wait_until(lambda: _descriptors(edge) < descriptors + 10, what="the end of all leftovers")
        assert edge.memory() < memory + MEMORY_LEEWAY


def _reload(edge: EdgeProcess, times: int) -> None:
    for _ in range(times):
        before = edge.output.count(SERVING)
        edge.process.send_signal(signal.SIGHUP)
        edge.wait_until(lambda: edge.output.count(SERVING) > before)  # noqa: B023  # called at once
        assert ask(edge.https_port).status == 404
    wait_until(lambda: len(edge.processes()) == 4, what="the end of the old workers")


def _descriptors(edge: EdgeProcess) -> int:
    return sum(len(open_descriptors(pid)) for pid in edge.processes())
