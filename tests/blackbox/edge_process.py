"""A running `edge`, started by its command line."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

REPOSITORY = Path(__file__).resolve().parent.parent.parent
START_TIMEOUT = 120.0
"""Seconds. A busy machine has been seen to take thirty for what it does in one when it is idle."""


def free_port() -> int:
    """A port on 127.0.0.1 that nobody uses at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port of 127.0.0.1 that refuses connections, and that nobody takes away until a server of the test listens there."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


class EdgeProcess:
    """`python -m edge` with the given flags, on free ports; a context manager that stops it by SIGTERM.

    Everything it says is in `output`; the local CA's root, once there, in `root`. `all_flags` False leaves ports,
    addresses and storage to a file. `setting` is for `--storage` when it is not the directory `storage`.
    `launcher` is a command before the command line, which must end in exec.
    """

    def __init__(
        self,
        tmp_path: Path,
        *flags: str,
        workers: int = 2,
        env: dict[str, str] | None = None,
        all_flags: bool = True,
    ) -> None:
        self.http_port = free_port()
        self.https_port = free_port()
        self.storage = tmp_path / "storage"
        self.setting = ""
        self.access_log = tmp_path / "access.log"
        self._lines: list[str] = []
        self._workers = workers
        self._all_flags = all_flags
        self._extra_flags = flags
        self._env = {**os.environ, "PYTHONPATH": str(REPOSITORY), **(env or {})}
        self.launcher: list[str] = []
        self.first_name = flags[flags.index("--domain") + 1] if "--domain" in flags else "localhost"
        self.process: subprocess.Popen[str]

    @property
    def flags(self) -> list[str]:
        """The command line; ports may be changed before `start`."""
        place = ["--http-port", str(self.http_port), "--https-port", str(self.https_port), "--bind", "127.0.0.1"]
        place += ["--storage", self.setting or str(self.storage)]
        return [
            *(place if self._all_flags else []),
            *("--workers", str(self._workers), "--access-log", str(self.access_log)),
            *self._extra_flags,
        ]

    @property
    def root(self) -> Path:
        """The local CA's root certificate."""
        return self.storage / "local-ca" / "root.pem"

    @property
    def output(self) -> str:
        """What it has said so far."""
        return "".join(self._lines)

    def start(self) -> Self:
        """Start without waiting."""
        self.process = subprocess.Popen(
            [*self.launcher, sys.executable, "-m", "edge", *self.flags],
            env=self._env,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line)

    def wait_for(self, words: str, timeout: float = START_TIMEOUT) -> None:
        """Until it has said `words`."""
        self.wait_until(lambda: words in self.output, timeout)

    def wait_until(self, condition: object, timeout: float = START_TIMEOUT) -> None:
        """Until `condition()` holds; fails when edge ends or takes too long."""
        assert callable(condition)
        deadline = time.monotonic() + timeout
        while not condition():
            if self.process.poll() is not None:
                raise AssertionError(f"edge ended with {self.process.returncode}:\n{self.output}")
            if time.monotonic() > deadline:
                raise AssertionError(f"edge takes too long:\n{self.output}")
            time.sleep(0.02)

    def wait_ready(self, server_name: str = "localhost") -> Self:
        """Until it completes a TLS handshake for a name."""
        self.wait_until(lambda: self._handshake(server_name))
        return self

    def _handshake(self, server_name: str, root: Path | None = None) -> bool:
        context = ssl.create_default_context(cafile=root)
        if root is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        try:
            with (
                socket.create_connection(("127.0.0.1", self.https_port), timeout=5) as sock,
                context.wrap_socket(sock, server_hostname=server_name),
            ):
                return True
        except OSError:
            return False

    def wait_trusted(self) -> Self:
        """Until localhost has its certificate from the local CA; a placeholder may have been shown before."""
        self.wait_until(lambda: self.root.exists() and self._handshake("localhost", self.root))
        return self

    def stop(self, timeout: float = 40.0) -> int:
        """SIGTERM; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"edge did not stop:\n{self.output}") from None
        self._reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    def __enter__(self) -> Self:
        self.start()
        try:
            return self.wait_ready(self.first_name)
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        status = self.stop()
        if kind is not None:
            print(self.output)
        else:
            assert status == 0, self.output
            assert "Traceback" not in self.output, self.output

    # -- the process tree ---------------------------------------------------------------------------------------------

    def processes(self) -> dict[int, str]:
        """Pids of supervisor, keeper and workers with their names."""
        found = {self.process.pid: _name(self.process.pid)}
        for pid in _children(self.process.pid):
            found[pid] = _name(pid)
        return found

    def workers(self) -> list[int]:
        """Pids of the workers."""
        return [pid for pid, name in self.processes().items() if "worker" in name]

    def keeper(self) -> int:
        """The keeper's pid; 0 while there is none."""
        return next((pid for pid, name in self.processes().items() if "keeper" in name), 0)

    def memory(self) -> int:
        """Proportional set size of the process tree, in bytes."""
        return sum(_pss(pid) for pid in self.processes())


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *_children(int(child))]
    return found


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _pss(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))
