"""A supervisor in a process of its own, and what a test does with one: ask it, signal it, read its log.

Nothing here sleeps: log lines are waited for on the pipe, answers on their sockets, ends of processes on pidfds. Every wait has
a deadline after which the test fails.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from edge.config.schema import Config, Listen, Site

PATIENCE = 20.0
"""Seconds after which a wait has failed; generous, because test machines are busy."""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def sample_config(storage: Path, *names: str, workers: int = 2, drain_seconds: float = 10.0) -> Config:
    return Config(
        sites=(Site(names or ("a.test",)),),
        storage=str(storage),
        listen=Listen(("127.0.0.1",), http_port=free_port(), https_port=free_port()),
        workers=workers,
        drain_seconds=drain_seconds,
    )


class Running:
    """One supervisor with its children."""

    def __init__(self, config: Config, **environment: str) -> None:
        self.config = config
        self.path = Path(config.storage) / "config.json"
        self.write(config)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.process.sample_edge", str(self.path)],
            stdout=subprocess.PIPE,
            env={**os.environ, **environment},
        )
        assert self.process.stdout is not None
        self._pipe = self.process.stdout
        self._unread = b""
        self.seen: list[dict[str, Any]] = []

    def write(self, config: Config) -> None:
        """What the next reload reads."""
        self.path.write_bytes(msgspec.json.encode(config))

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait_log(self, event: str, **fields: Any) -> dict[str, Any]:
        """The next log line with this event and these fields."""
        deadline = time.monotonic() + PATIENCE
        while True:
            line = json.loads(self._next_line(deadline, event))
            self.seen.append(line)
            if line["event"] == event and fields.items() <= line.items():
                return line  # type: ignore[no-any-return]  # it has just been compared as a dictionary

    def _next_line(self, deadline: float, wanted: str) -> bytes:
        while b"\n" not in self._unread:
            ready, _, _ = select.select([self._pipe], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(self._pipe.fileno(), 65536) if ready else b""
            assert data, f"no log line {wanted!r} came, but {self.seen}"
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def connect(self, path: str = "/") -> socket.socket:
        """A connection to the plain port with a request on it."""
        sock = socket.create_connection(("127.0.0.1", self.config.listen.http_port), PATIENCE)
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n".encode())
        return sock

    def ask(self) -> dict[str, Any]:
        """What some worker says about itself."""
        with self.connect() as sock:
            return read_answer(sock)

    def ask_until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first answer that is as wanted: workers share the socket, any of them may take a connection."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            answer = self.ask()
            if wanted(answer):
                return answer
        raise AssertionError("no worker gave the wanted answer")

    def workers(self, count: int) -> dict[int, dict[str, Any]]:
        """The answers of `count` different workers, by pid."""
        answers: dict[int, dict[str, Any]] = {}

        def complete(answer: dict[str, Any]) -> bool:
            answers[answer["pid"]] = answer
            return len(answers) == count

        self.ask_until(complete)
        return answers

    def tell_keeper(self, command: str) -> str:
        """The reply of the manager; waits for a keeper that is being replaced."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(PATIENCE)
                try:
                    sock.connect(f"{self.config.storage}/keeper.sock")
                    sock.sendall(command.encode() + b"\n")
                    reply = sock.recv(4096).decode()
                except (FileNotFoundError, ConnectionError):
                    reply = ""
                if reply:
                    return reply
            assert time.monotonic() < deadline, "no keeper answers"

    def keeper(self) -> int:
        """The keeper's pid."""
        return int(self.tell_keeper("status").split()[1])

    def children(self) -> set[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return set(map(int, path.read_text().split()))

    def stop(self) -> int:
        """The exit status after SIGTERM."""
        self.signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


def read_answer(sock: socket.socket) -> dict[str, Any]:
    received = b""
    while data := sock.recv(65536):
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), received
    return json.loads(body)  # type: ignore[no-any-return]  # status() is a dictionary


def wait_ended(pids: set[int]) -> None:
    """Return when none of these processes runs any more."""
    deadline = time.monotonic() + PATIENCE
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            try:
                ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            finally:
                os.close(descriptor)
            assert ready, f"process {pid} still runs"


@contextlib.contextmanager
def running(
    config: Config, *, serves: bool = True, environ: dict[str, str] | None = None, **environment: str
) -> Iterator[Running]:
    """A supervisor whose workers serve; at the end it and its children are gone, whatever the test did."""
    edge = Running(config, **(environ or {}), **environment)
    try:
        if serves:
            edge.wait_log("serving")
        yield edge
    finally:
        with contextlib.suppress(OSError):
            children = edge.children()
            edge.process.kill()
            for child in children:
                os.kill(child, signal.SIGKILL)
        edge.process.wait(PATIENCE)
        edge.process.stdout.close() if edge.process.stdout else None
