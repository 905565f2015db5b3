"""The application servers, each with the command that starts it on a TCP port and on a unix socket at once."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from tests.blackbox.edge_process import REPOSITORY, free_port

MODULE: Final = "tests.blackbox.upstreams.application"
WSGI: Final = f"{MODULE}:wsgi"
ASGI: Final = f"{MODULE}:asgi"

START_TIMEOUT: Final = 60.0
"""Seconds; all of them start at once."""

Commands: TypeAlias = Callable[[int, Path], list[list[str]]]
"""(port, socket path) → one command that listens on both, or one for each."""


class Server(NamedTuple):
    """`scheme` are the words before a TCP and a unix address in `upstream`; `line` is the command as the page shows it."""

    key: str
    title: str
    commands: Commands
    line: str
    scheme: tuple[str, str] = ("", "unix:")


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


def _gunicorn(worker_class: str, *more: str) -> Commands:
    def commands(port: int, path: Path) -> list[list[str]]:
        binds = ("--bind", f"127.0.0.1:{port}", "--bind", f"unix:{path}")
        quiet = ("--log-level", "critical", "--no-control-socket", "--worker-tmp-dir", str(path.parent))
        return [_module("gunicorn", *binds, "--worker-class", worker_class, *more, *quiet, WSGI)]

    return commands


def _uvicorn(port: int, path: Path) -> list[list[str]]:
    return [
        _module("uvicorn", *place, "--log-level", "critical", ASGI)
        for place in (("--port", str(port)), ("--uds", str(path)))
    ]


def _uwsgi(option: str) -> Commands:
    def commands(port: int, path: Path) -> list[list[str]]:
        program = str(Path(sysconfig.get_path("scripts"), "uwsgi"))
        sockets = (option, f"127.0.0.1:{port}", option, str(path))
        stop = ("--hook-master-start", "unix_signal:15 gracefully_kill_them_all")
        return [
            [program, *sockets, "--module", WSGI, "--master", "--need-app", "--buffer-size", "32768", *stop,
             "--disable-logging"]
        ]  # fmt: skip

    return commands


def _granian(interface: str, application: str) -> Commands:
    def commands(port: int, path: Path) -> list[list[str]]:
        return [
            _module("granian", "--interface", interface, *place, "--no-log", application)
            for place in (("--host", "127.0.0.1", "--port", str(port)), ("--uds", str(path)))
        ]

    return commands


def _waitress(port: int, path: Path) -> list[list[str]]:
    return [
        _module("waitress", place, f"--trusted-proxy={peer}", *_BELIEVED, WSGI)
        for place, peer in ((f"--listen=127.0.0.1:{port}", "127.0.0.1"), (f"--unix-socket={path}", "localhost"))
    ]


_BELIEVED: Final = (
    "--trusted-proxy-headers=x-forwarded-proto x-forwarded-for x-forwarded-host",
    "--clear-untrusted-proxy-headers",
)


SERVERS: Final = {
    server.key: server
    for server in (
        Server("gunicorn-sync", "gunicorn sync", _gunicorn("sync"), "gunicorn --worker-class sync"),
        Server(
            "gunicorn-gthread",
            "gunicorn gthread",
            _gunicorn("gthread", "--threads", "4"),
            "gunicorn --worker-class gthread --threads 4",
        ),
        Server("uvicorn", "uvicorn", _uvicorn, "uvicorn"),
        Server(
            "uwsgi-http",
            "uWSGI http-socket",
            _uwsgi("--http-socket"),
            'uwsgi --http-socket … --master --buffer-size 32768 --hook-master-start "unix_signal:15 gracefully_kill_them_all"',
        ),
        Server(
            "uwsgi",
            "uWSGI socket",
            _uwsgi("--socket"),
            'uwsgi --socket … --master --buffer-size 32768 --hook-master-start "unix_signal:15 gracefully_kill_them_all"',
            ("uwsgi://", "uwsgi+unix:"),
        ),
        Server("granian-asgi", "granian ASGI", _granian("asgi", ASGI), "granian --interface asgi"),
        Server("granian-wsgi", "granian WSGI", _granian("wsgi", WSGI), "granian --interface wsgi"),
        Server(
            "waitress",
            "waitress",
            _waitress,
            'waitress-serve --trusted-proxy=127.0.0.1 --trusted-proxy-headers="x-forwarded-proto x-forwarded-for '
            'x-forwarded-host" --clear-untrusted-proxy-headers',
        ),
    )
}


class ServerProcess:
    """A server that runs; it can be stopped and started again on the same addresses."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.server = server
        self.port = free_port()
        self.path = directory / f"{server.key}.sock"
        self._environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "UPSTREAM_DIRECTORY": str(directory)}
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def upstreams(self) -> tuple[str, str]:
        """Its TCP and its unix address as edge's configuration has them."""
        tcp, unix = self.server.scheme
        return f"{tcp}127.0.0.1:{self.port}", f"{unix}{self.path}"

    def start(self) -> None:
        """Start without waiting."""
        self.path.unlink(missing_ok=True)  # granian refuses to start over one that it has left
        self._processes = [
            subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            for command in self.server.commands(self.port, self.path)
        ]

    def wait_up(self) -> None:
        """Until both addresses accept connections."""
        deadline = time.monotonic() + START_TIMEOUT
        while not (self._accepts(("127.0.0.1", self.port)) and self._accepts(str(self.path))):
            assert time.monotonic() < deadline, f"{self.server.key} does not start"
            assert all(process.poll() is None for process in self._processes), f"{self.server.key} has ended"
            time.sleep(0.05)

    @staticmethod
    def _accepts(address: tuple[str, int] | str) -> bool:
        with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as probe:
            return probe.connect_ex(address) == 0

    def terminate(self) -> None:
        """SIGTERM, as a service manager sends it."""
        for process in self._processes:
            process.terminate()

    def wait(self) -> None:
        """Until it has ended."""
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
