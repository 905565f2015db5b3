"""A server process from its recipe: written, started on its cores, waited for, stopped by its process id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

from benchmarks.accounting import cpu_seconds, memory_bytes
from benchmarks.errors import ServerFailed
from benchmarks.load.tls import unverified_context
from benchmarks.servers.recipe import Recipe

REPOSITORY = Path(__file__).resolve().parent.parent.parent
START_TIMEOUT = 30.0
STOP_TIMEOUT = 10.0
POLL_INTERVAL = 0.02


def free_ports(count: int) -> list[int]:
    """Ports on 127.0.0.1 that nobody uses at the moment, all different."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in held]
    for sock in held:
        sock.close()
    return ports


class Running:
    """A server that answers on `port`. A context manager: it stops the process, whatever happened inside."""

    def __init__(
        self,
        name: str,
        recipe: Recipe,
        directory: Path,
        port: int,
        server_name: str | None = None,
        start_timeout: float = START_TIMEOUT,
    ) -> None:
        self.name = name
        self.port = port
        self.argv = recipe.argv
        self.started_in = 0.0
        """Seconds from the start of the process to its first answer (a handshake where there is TLS)."""
        self._server_name = server_name
        self._recipe = recipe
        self._directory = directory
        self._start_timeout = start_timeout
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<Running {self.name} on {self.port}>"

    def __enter__(self) -> Running:
        self._directory.mkdir(parents=True, exist_ok=True)
        for file, text in self._recipe.files.items():
            (self._directory / file).write_text(text)
        began = time.monotonic()
        with (self._directory / "output.txt").open("wb") as output:
            self._process = subprocess.Popen(
                self.argv,
                cwd=self._directory,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait_until_it_listens(began + self._start_timeout)
        except BaseException:
            self.stop()
            raise
        self.started_in = time.monotonic() - began
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_it_listens(self, deadline: float) -> None:
        while True:
            assert self._process is not None
            if self._process.poll() is not None:
                raise ServerFailed(f"{self.name} ended at once:\n{self.last_words()}")
            try:
                self._knock()
            except OSError:
                if time.monotonic() > deadline:
                    raise ServerFailed(
                        f"{self.name} does not listen after {self._start_timeout:.0f} s:\n{self.last_words()}"
                    ) from None
                time.sleep(POLL_INTERVAL)
            else:
                return

    def _knock(self) -> None:
        """Connect, and shake hands where there is TLS: a listening socket accepts long before its server can answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as sock:
            if self._server_name:
                unverified_context().wrap_socket(sock, server_hostname=self._server_name).close()

    def last_words(self) -> str:
        """The end of what it said, for an error."""
        return (self._directory / "output.txt").read_text(errors="replace")[-2000:]

    @property
    def pid(self) -> int:
        """The process at the root of the tree."""
        assert self._process is not None
        return self._process.pid

    def cpu_seconds(self) -> float:
        """CPU time of the whole tree so far."""
        return cpu_seconds(self.pid)

    def memory_bytes(self) -> int:
        """Proportional set size of the whole tree."""
        return memory_bytes(self.pid)

    def stop(self) -> None:
        """SIGTERM, then SIGKILL for one that does not listen."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
