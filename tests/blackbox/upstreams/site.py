"""One edge before all servers: each has a site for its TCP address and one for its unix socket."""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.load import KeepAliveLoad, trusting
from tests.blackbox.upstreams.servers import SERVERS, ServerProcess
from tests.blackbox.visitor import TIMEOUT, Response, Visitor

HOLD: Final = 60
"""Seconds: on a busy machine it takes some time until all servers have started again at once."""

_marks = itertools.count()


class Site(NamedTuple):
    """A server behind edge. `name` is the site on its TCP address, `unix_name` the one on its socket."""

    edge: EdgeProcess
    process: ServerProcess
    directory: Path
    restarts: Restarts

    @property
    def name(self) -> str:
        return f"{self.process.server.key}.localhost"

    @property
    def unix_name(self) -> str:
        return f"unix-{self.name}"

    @property
    def host(self) -> str:
        """What a visitor writes into Host."""
        return f"{self.name}:{self.edge.https_port}"

    def dial(self, name: str = "", source: str = "127.0.0.1") -> Visitor:
        """An HTTP/1.1 visitor from an address of the loopback network."""
        sock = socket.create_connection(("127.0.0.1", self.edge.https_port), TIMEOUT, (source, 0))
        return Visitor(trusting("http/1.1").wrap_socket(sock, server_hostname=name or self.name))

    def ask(
        self,
        target: str,
        *lines: str,
        method: str = "GET",
        body: bytes = b"",
        name: str = "",
        source: str = "127.0.0.1",
    ) -> Response:
        """One request on a connection of its own; the length of a body is announced."""
        length = (f"Content-Length: {len(body)}",) if body else ()
        head = (f"{method} {target} HTTP/1.1", f"Host: {name or self.name}:{self.edge.https_port}", *length, *lines)
        with self.dial(name, source) as visitor:
            return visitor.send("\r\n".join((*head, "", "")).encode() + body).read(method.encode())

    def new_mark(self) -> str:
        """A word of its own for a request that tests and view talk about by files."""
        return f"{self.process.server.key}-{next(_marks)}"


class Restarts:
    """Every server is stopped and started again while its visitors keep asking: once for all of them, when first asked for."""

    def __init__(self, edge: EdgeProcess, processes: dict[str, ServerProcess]) -> None:
        self._edge = edge
        self._processes = processes
        self._failures: dict[str, list[str]] = {}

    def failures(self, key: str) -> list[str]:
        """What the visitors of a server got that was not 200."""
        if not self._failures:
            threads = [threading.Thread(target=self._restart, args=(each,)) for each in self._processes]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return self._failures[key]

    def _restart(self, key: str) -> None:
        process = self._processes[key]
        self._failures[key] = ["did not come back"]
        with KeepAliveLoad(self._edge.https_port, f"{key}.localhost", clients=1) as load:
            load.wait_answered(20)
            process.terminate()
            process.wait()
            process.start()
            process.wait_up()
            load.wait_answered(20)
            self._failures[key] = load.failures


@contextmanager
def sites(directory: Path) -> Iterator[dict[str, Site]]:
    """All servers, started at once, and one edge with one worker before them."""
    processes = {key: ServerProcess(server, directory) for key, server in SERVERS.items()}
    try:
        for process in processes.values():
            process.start()
        for process in processes.values():
            process.wait_up()
        with _edge_before(processes, directory) as edge:
            restarts = Restarts(edge, processes)
            yield {key: Site(edge, process, directory, restarts) for key, process in processes.items()}
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait()


def _edge_before(processes: dict[str, ServerProcess], directory: Path) -> EdgeProcess:
    lines = []
    for key, process in processes.items():
        for name, upstream in zip((f"{key}.localhost", f"unix-{key}.localhost"), process.upstreams, strict=True):
            lines += ["[[site]]", f"names = '{name}'", f"upstream = '{upstream}'", f"hold_seconds = {HOLD}"]
    file = directory / "edge.toml"
    file.write_text("\n".join(lines))
    edge = EdgeProcess(directory, "--config", str(file), workers=1)
    edge.first_name = f"{next(iter(processes))}.localhost"
    return edge


def json_of(response: Response) -> Any:
    """What a view has told."""
    assert response.status == http.client.OK, response
    return json.loads(response.body)
