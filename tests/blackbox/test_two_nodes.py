"""Two nodes behind a balancer, with their storage on a real Redis or a real PostgreSQL, ordering at a real CA."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from cryptography import x509

from edge.storage.contract import Storage
from tests.blackbox.acme_site import served_certificate
from tests.blackbox.asking import wait_until
from tests.blackbox.balancer import Balancer
from tests.blackbox.edge_process import EdgeProcess
from tests.pebble import Pebble
from tests.storage.opened import opened
from tests.storage.servers import PASSWORD, DatabaseServer, PostgreSQLProcess, RedisProcess

ORDER = "/order-plz"
TAKEOVER = 30.0
"""Seconds. A lease lasts eight."""


@pytest.fixture(scope="module")
def pebble() -> Iterator[Pebble]:
    with Pebble(nonce_reject=0) as running:  # so that requests can be counted
        yield running


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    with RedisProcess() if request.param == "redis" else PostgreSQLProcess() as running:
        yield running


class Pair:
    """Two nodes with the same sites, and the CA that sees them as one."""

    def __init__(self, directory: Path, pebble: Pebble, server: DatabaseServer) -> None:
        self.pebble = pebble
        self._names: list[str] = []
        self._config = directory / "edge.toml"
        self.nodes = [self._node(directory / word, server) for word in ("one", "two")]
        routes = {
            pebble.http_port: [node.http_port for node in self.nodes],
            pebble.tls_port: [node.https_port for node in self.nodes],
        }
        self.balancer = Balancer(routes)

    def _node(self, directory: Path, server: DatabaseServer) -> EdgeProcess:
        directory.mkdir()
        ca = ("--acme-directory", self.pebble.directory_url, "--acme-ca-file", str(self.pebble.ca_file))
        node = EdgeProcess(
            directory, *ca, "--config", str(self._config), workers=1, env={"EDGE_STORAGE_PASSWORD": PASSWORD}
        )
        node.setting = f"{server.setting}?local={directory}/local"
        return node

    def add(self, name: str) -> None:
        """One more site for both."""
        self._names.append(name)
        self._config.write_text("".join(f'[[site]]\nnames = ["{each}"]\n' for each in self._names))
        for node in self.nodes:
            if hasattr(node, "process") and node.process.poll() is None:
                node.process.send_signal(signal.SIGHUP)

    def certificate(self, node: EdgeProcess, name: str) -> x509.Certificate | None:
        """What a visitor of this node gets, if the CA's root is good for it."""
        try:
            return served_certificate(node.https_port, name, self.pebble.root())
        except OSError:
            return None

    def wait_served(self, name: str, *nodes: EdgeProcess) -> int:
        """Until these nodes, or both, serve the same good certificate; its serial number."""
        for node in nodes or self.nodes:
            node.wait_until(lambda node=node: self.certificate(node, name) is not None, TAKEOVER)
        serials = {found.serial_number for node in nodes or self.nodes if (found := self.certificate(node, name))}
        assert len(serials) == 1
        return serials.pop()

    def wait_ordering(self, name: str) -> tuple[EdgeProcess, EdgeProcess]:
        """Until one node is in the middle of an order; that one, and the other."""
        line = f'"name":"{name}","phase":"challenge"'
        wait_until(lambda: any(line in node.output for node in self.nodes))
        first, second = self.nodes
        return (first, second) if line in first.output else (second, first)


@contextmanager
def running_pair(directory: Path, pebble: Pebble, server: DatabaseServer) -> Iterator[Pair]:
    """Both serve; whoever is not dead is stopped in the end."""
    pair = Pair(directory, pebble, server)
    pair.add("first.test")
    with pair.balancer, ExitStack() as stack:
        for node in pair.nodes:
            stack.callback(node.stop)
            node.start()
        try:
            yield pair
        except BaseException:
            print(*(f"--- {node.output}" for node in pair.nodes), sep="\n")
            raise
    for node in pair.nodes:
        assert "Traceback" not in node.output
        assert PASSWORD not in node.output


@pytest.mark.parametrize("server", ["redis", "postgresql"], indirect=True)
def test_two_nodes_are_one_to_the_ca(tmp_path: Path, pebble: Pebble, server: DatabaseServer) -> None:
    """One order per name, answered by both; a restarted storage, and a node killed in the middle, cost neither a certificate nor
    an order."""
    orders = pebble.requests(ORDER)
    with running_pair(tmp_path, pebble, server) as pair:
        pair.wait_served("first.test")

        pair.balancer.challenged.clear()
        pair.add("second.test")
        pair.wait_served("second.test")
        assert set(pair.balancer.challenged) == {node.http_port for node in pair.nodes}
        assert pebble.requests(ORDER) - orders == 2

        server.restart()
        pair.add("third.test")
        victim, other = pair.wait_ordering("third.test")
        os.killpg(victim.process.pid, signal.SIGKILL)
        pair.wait_served("third.test", other)
        assert pebble.requests(ORDER) - orders == 3
        # Whoever asked the storage while it was restarting does not ask again for half a second, and may say so.
        failures = [line for line in other.output.splitlines() if '"certificate attempt failed"' in line]
        assert [line for line in failures if "cannot be used" not in line] == []

        assert victim.stop() == -signal.SIGKILL
        server.stop()
        victim.start()
        assert pair.wait_served("first.test", victim) == pair.wait_served("first.test", other)
        victim.wait_for('"storage is away"')


@pytest.mark.parametrize("server", ["redis"], indirect=True)
def test_a_node_that_slept_through_its_lease_changes_nothing(
    tmp_path: Path, pebble: Pebble, server: DatabaseServer
) -> None:
    """It wakes up in the middle of its order, which the other node has brought to an end, and serves what that one got."""
    with running_pair(tmp_path, pebble, server) as pair:
        pair.wait_served("first.test")
        orders = pebble.requests(ORDER)
        pair.add("second.test")
        sleeper, other = pair.wait_ordering("second.test")
        pair.balancer.sick = {sleeper.http_port, sleeper.https_port}
        with asleep(sleeper):
            serial = pair.wait_served("second.test", other)
            with opened(server) as storage:
                before = stored(storage, "second.test")
        pair.balancer.sick = set()
        assert pair.wait_served("second.test") == serial
        sleeper.wait_until(lambda: "another process" in sleeper.output)
        with opened(server) as storage:
            assert stored(storage, "second.test") == before
        assert pebble.requests(ORDER) - orders == 1
        assert '"certificate attempt failed"' not in sleeper.output + other.output


@contextmanager
def asleep(node: EdgeProcess) -> Iterator[None]:
    """All its processes are stopped, like those of a paused virtual machine."""
    pids = list(node.processes())
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def stored(storage: Storage, name: str) -> tuple[str | None, list[str], list[str]]:
    """The generation in service of a certificate, all generations, and what is left of its order."""
    (base,) = [f"certs/{each}" for each in storage.list("certs") if each.startswith(name)]
    return storage.resolve(f"{base}/current"), storage.list(f"{base}/gen"), storage.list(f"{base}/pending")
