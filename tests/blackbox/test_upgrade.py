"""A new version of edge in place of the running one: sockets stay open, requests are answered; a bad version changes nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.blackbox.acme_site import ISSUED
from tests.blackbox.asking import ask, connect_tls, is_alive, is_free, read_answer, wait_until
from tests.blackbox.installed_edge import Installation, InstalledEdge
from tests.blackbox.load import HandshakeLoad, Http2Load, KeepAliveLoad, trusting
from tests.blackbox.slow_origin import SlowOrigin
from tests.blackbox.uvicorn_process import UvicornProcess
from tests.pebble import Pebble

REFUSED = '"event":"upgrade refused, serving as before"'


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path, "1.0.0")


@pytest.fixture
def edge(tmp_path: Path, installation: Installation) -> Iterator[InstalledEdge]:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "file.txt").write_text("file\n")
    with InstalledEdge(tmp_path, installation, "--static", f"/={tmp_path}/www") as running:
        running.wait_version("1.0.0")
        yield running


def answering_version(edge: InstalledEdge) -> bytes:
    return ask(edge.https_port, target="/missing").body


def test_no_request_is_lost_over_upgrades(edge: InstalledEdge, installation: Installation) -> None:
    """Two upgrades under keep-alive, HTTP/2 and handshake load: not one failure, and each time the new code answers."""
    assert b"(1.0.0)" in answering_version(edge)
    with (
        KeepAliveLoad(edge.https_port, "localhost", target="/file.txt") as requests,
        Http2Load(edge.https_port, "localhost", target="/file.txt", clients=2) as streams,
        HandshakeLoad(edge.https_port, "localhost", clients=1) as handshakes,
    ):
        for old, new in (("1.0.0", "1.1.0"), ("1.1.0", "2.0.0")):
            for load in (requests, streams, handshakes):
                load.wait_answered(20)
            replaced = edge.supervisor
            assert replaced is not None
            installation.install(new)
            done = edge.upgrade()
            assert done.returncode == 0, done.stderr
            assert f"version {new} serves" in done.stderr
            assert f"in place of {old}" in done.stderr
            wait_until(lambda: not is_alive(replaced.pid), what="the end of the old edge")  # noqa: B023  # called at once
            for load in (requests, streams, handshakes):
                load.wait_answered(20)
            assert f"({new})".encode() in answering_version(edge)
    assert (requests.failures, streams.failures, handshakes.failures) == ([], [], [])
    assert edge.process.wait(20) == 0


def test_a_signal_upgrades_too(edge: InstalledEdge, installation: Installation) -> None:
    """SIGUSR2 to the supervisor; the certificate is the one from before, and the stop of the new edge frees the ports."""
    edge.wait_for(ISSUED)
    before = ask(edge.https_port).leaf
    installation.install("1.1.0")
    edge.process.send_signal(signal.SIGUSR2)
    edge.wait_version("1.1.0")
    assert ask(edge.https_port, root=edge.root.read_bytes()).leaf == before
    assert edge.stop() == 0
    assert is_free(edge.https_port)
    assert edge.output.count(ISSUED) == 1
    assert "Traceback" not in edge.output


def test_a_request_in_flight_finishes_at_the_old_version(tmp_path: Path, installation: Installation) -> None:
    """What the old edge has begun it finishes, however long after the new one serves."""
    with (
        SlowOrigin() as origin,
        InstalledEdge(tmp_path, installation, "--upstream", f"127.0.0.1:{origin.port}") as edge,
        connect_tls(edge.https_port, "localhost") as sock,
    ):
        edge.wait_version("1.0.0")
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % edge.https_port)
        origin.wait_request()
        installation.install("1.1.0")
        assert edge.upgrade().returncode == 0
        assert is_alive(edge.process.pid)
        origin.answer()
        assert read_answer(sock).body == b"slow\n"
        assert ask(edge.https_port).body == b"slow\n"
        assert edge.process.wait(20) == 0


def test_a_websocket_lives_on_at_the_old_version(tmp_path: Path, installation: Installation) -> None:
    """Until its drain deadline; new ones go to the new version."""

    async def talk(edge: InstalledEdge) -> None:
        context = ssl.create_default_context(cafile=edge.root)
        url = f"wss://localhost:{edge.https_port}/"
        async with connect(url, ssl=context, proxy=None) as old:
            installation.install("1.1.0")
            assert (await asyncio.to_thread(edge.upgrade)).returncode == 0
            await old.send("survived")
            assert await old.recv() == "survived"
            async with connect(url, ssl=context, proxy=None) as new:
                await new.send("new")
                assert await new.recv() == "new"

    with (
        UvicornProcess("tests.blackbox.socket_app:application") as application,
        InstalledEdge(tmp_path, installation, "--upstream", application.address) as edge,
    ):
        edge.wait_version("1.0.0")
        edge.wait_trusted()
        asyncio.run(talk(edge))
        assert edge.process.wait(20) == 0


def test_a_session_of_the_old_edge_is_no_failure(edge: InstalledEdge, installation: Installation) -> None:
    """Ticket keys are not handed over: a client that comes back gets a full handshake, and notices nothing."""
    context = trusting("http/1.1")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with edge_connection(edge, context) as first:
        session = first.session
    with edge_connection(edge, context, session) as again:
        assert again.session_reused
    installation.install("1.1.0")
    assert edge.upgrade().returncode == 0
    with edge_connection(edge, context, session) as later:
        assert not later.session_reused


def edge_connection(
    edge: InstalledEdge, context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> ssl.SSLSocket:
    sock = socket.create_connection(("127.0.0.1", edge.https_port), 10)
    return context.wrap_socket(sock, server_hostname="localhost", session=session)


# -- versions that cannot serve ----------------------------------------------------------------------------------------

BROKEN = {
    "cli/commands.py": ("import a_package_that_is_not_installed", "No module named 'a_package_that_is_not_installed'"),
    "process/generation.py": (
        "def prepare(*_args, **_named):\n    raise StartError('the new version wants something')",
        "the new version wants something",
    ),
    "process/supervisor.py": ("Supervisor._begin = lambda self: os._exit(7)", "exit status 7"),
}


@pytest.mark.parametrize("module", BROKEN)
def test_a_version_that_cannot_start_changes_nothing(
    edge: InstalledEdge, installation: Installation, module: str
) -> None:
    """The old edge serves as before, keeper included, and both its log and `edge upgrade` say why; the next good one is taken."""
    text, reason = BROKEN[module]
    installation.install("6.6.6")
    if module == "process/generation.py":
        text = f"from edge.errors import StartError\n{text}"
    installation.break_module(module, text)
    with KeepAliveLoad(edge.https_port, "localhost", target="/file.txt") as load:
        if module.startswith("cli"):
            edge.process.send_signal(signal.SIGUSR2)  # the command itself would be broken too
        else:
            done = edge.upgrade()
            assert done.returncode == 1
            assert reason in done.stderr
        edge.wait_for(REFUSED)
        load.wait_answered(20)
    assert load.failures == []
    assert reason in edge.output
    assert b"(1.0.0)" in answering_version(edge)
    edge.wait_until(lambda: edge.keeper() and len(edge.workers()) == 2)
    installation.install("1.1.0")
    assert edge.upgrade().returncode == 0
    assert b"(1.1.0)" in answering_version(edge)


def test_a_configuration_that_has_become_bad_changes_nothing(edge: InstalledEdge, tmp_path: Path) -> None:
    """The new edge reads flags and files anew; its complaint is told word for word."""
    (tmp_path / "www").rename(tmp_path / "elsewhere")
    done = edge.upgrade()
    assert done.returncode == 1
    assert "does not exist; create it first" in done.stderr
    assert "serves as before" in done.stderr
    assert b"(1.0.0)" in answering_version(edge)
    (tmp_path / "elsewhere").rename(tmp_path / "www")


def test_a_stop_during_an_upgrade_stops_both(edge: InstalledEdge, installation: Installation) -> None:
    """SIGTERM to the edge in charge ends the one that was about to follow, and the ports are free."""
    installation.install("1.1.0")
    installation.break_module("process/supervisor.py", "import time\ntime.sleep(30)")
    edge.process.send_signal(signal.SIGUSR2)
    edge.wait_for('"event":"upgrading"')
    assert edge.stop() == 0
    assert is_free(edge.https_port)


def test_nobody_to_upgrade(tmp_path: Path, installation: Installation) -> None:
    """One sentence and what to do, also when the process that is named has gone."""
    edge = InstalledEdge(tmp_path, installation)
    edge.storage.mkdir()
    for remains in (False, True):
        if remains:
            edge.start().wait_ready()
            edge.wait_version("1.0.0")
            assert edge.stop() == 0
        done = edge.upgrade()
        assert done.returncode == 1
        assert f"no edge runs with the storage {edge.storage}" in done.stderr
        assert "Traceback" not in done.stderr


# -- certificates ------------------------------------------------------------------------------------------------------


def test_an_order_in_flight_survives(tmp_path: Path, installation: Installation) -> None:
    """Upgraded in the middle of an order: there is one keeper at any time, and the order is finished, not made again."""
    with Pebble(nonce_reject=0) as pebble:
        directory = ("--acme-directory", pebble.directory_url, "--acme-ca-file", str(pebble.ca_file))
        edge = InstalledEdge(tmp_path, installation, *directory, "--domain", "a.test", "--domain", "b.test")
        edge.http_port, edge.https_port = pebble.http_port, pebble.tls_port
        with edge, KeeperCount() as keepers:
            edge.wait_for('"phase":"order"')
            edge.wait_version("1.0.0")
            keepers.watch(edge)
            installation.install("1.1.0")
            done = edge.upgrade()
            assert done.returncode == 0, done.stderr
            wait_until(lambda: edge.output.count(ISSUED) == 2, 30, "both certificates")
            for name in ("a.test", "b.test"):
                assert ask(edge.https_port, name, root=pebble.root()).status == 404
        assert pebble.requests("/order-plz") == 2
        assert keepers.most == 1
        assert "failed" not in edge.output


class KeeperCount:
    """Counts, as often as it can, how many keepers of an edge live."""

    def __init__(self) -> None:
        self.most = 0
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> KeeperCount:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(10)

    def watch(self, edge: InstalledEdge) -> None:
        self._thread = threading.Thread(target=self._count, args=(str(edge.storage).encode(),), daemon=True)
        self._thread.start()

    def _count(self, storage: bytes) -> None:
        while not self._stopped.wait(0.005):
            self.most = max(self.most, sum(_is_keeper(Path(f"/proc/{pid}"), storage) for pid in _pids()))


def _pids() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdecimal()]


def _is_keeper(process: Path, storage: bytes) -> bool:
    """By the command line, too: other tests may run beside this one."""
    try:
        return "keeper" in (process / "comm").read_text() and storage in (process / "cmdline").read_bytes()
    except OSError:
        return False
