"""A real Redis and a real PostgreSQL, each as a context manager: data in a temporary directory, a port or socket of its own.

`freeze` and `thaw` stop and continue the whole server, `restart` ends it and starts it on the same data. PostgreSQL refuses to
run as root; then it runs as `nobody`.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

START_SECONDS = 20.0
PASSWORD = "correct horse battery staple"
"""Whoever finds it in a log has found a leak."""


class DatabaseServer(Protocol):
    """What tests do with a server."""

    setting: str
    """For `--storage`, without places of secrets."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def wipe(self) -> None:
        """Remove all that edge has stored."""

    def restart(self) -> None:
        """End and start on the same data."""

    def stop(self) -> None:
        """End it."""

    def dump(self) -> bytes:
        """Everything that whoever reads the server's data sees."""

    def freeze(self) -> None:
        """Make it silent: connections stay, nothing is answered."""

    def thaw(self) -> None:
        """Let it go on."""


def free_port() -> int:
    """A port on 127.0.0.1 that nobody uses at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


class _Server:
    """A process with a directory."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="edge-server-", ignore_cleanup_errors=True)
        self.directory = Path(self._directory.name)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._prepare()
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        self._directory.cleanup()

    def start(self) -> None:
        """Returns when it answers."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, (self.directory / "log").read_text(errors="replace")
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.02)  # a process of others cannot tell when it is ready

    def stop(self) -> None:
        """As its init script does."""
        if self._process is not None:
            self.thaw()
            self._process.send_signal(signal.SIGINT)
            self._process.wait(20)
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def freeze(self) -> None:
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        assert self._process is not None
        for pid in (self._process.pid, *_children(self._process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _prepare(self) -> None:
        """Make its data."""

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _answers(self) -> bool:
        raise NotImplementedError


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


class RedisProcess(_Server):
    """Redis with an append-only file and a password."""

    def __init__(self, *options: str) -> None:
        super().__init__()
        self._options = options
        self.setting = f"redis://127.0.0.1:{self.port}/0"

    def _command(self) -> list[str]:
        program = shutil.which("redis-server")
        assert program, "redis-server is not installed; .ci/run installs it"
        place = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory)]
        durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        return [program, *place, *durable, "--requirepass", PASSWORD, *self._options]

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 2) as sock:
            sock.sendall(b"PING\r\n")
            return sock.recv(100).startswith(b"-NOAUTH")
        return False

    def wipe(self) -> None:
        self.command("FLUSHALL")

    def command(self, *words: str) -> None:
        """One that is answered with OK."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as sock:
            sock.sendall(f'AUTH "{PASSWORD}"\r\n{" ".join(words)}\r\n'.encode())
            answers = b""
            while answers.count(b"\r\n") < 2:
                answers += sock.recv(100)
            assert answers == b"+OK\r\n+OK\r\n", answers

    def dump(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.directory.rglob("*") if path.is_file())


class PostgreSQLProcess(_Server):
    """A cluster with one role and one database, both called edge, and a password."""

    def __init__(self) -> None:
        super().__init__()
        self.setting = f"postgresql://edge@127.0.0.1:{self.port}/edge"
        self._account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None

    def _prepare(self) -> None:
        if self._account:
            os.chown(self.directory, self._account.pw_uid, self._account.pw_gid)
        password = self.directory / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        options = [
            "--username",
            "edge",
            "--pwfile",
            str(password),
            "--auth",
            "scram-sha-256",
            "--no-sync",
            "-E",
            "UTF8",
        ]
        self._run("initdb", "-D", str(self.directory / "data"), *options, "--no-locale")

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_somebody(), _postgresql_program(program), *arguments]
        done = subprocess.run(command, capture_output=True, timeout=60, cwd=self.directory, check=False)
        assert done.returncode == 0, done.stderr.decode()

    def _as_somebody(self) -> list[str]:
        if self._account is None:
            return []
        ids = ["--reuid", str(self._account.pw_uid), "--regid", str(self._account.pw_gid)]
        return ["setpriv", *ids, "--clear-groups", "--"]

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.directory,
            "fsync": "off",  # the machine is not going to lose its power during a test
            "shared_buffers": "16MB",
            "max_connections": 40,
        }
        flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [*self._as_somebody(), _postgresql_program("postgres"), "-D", str(self.directory / "data"), *flags]

    def _answers(self) -> bool:
        with contextlib.suppress(AssertionError):
            self._run("pg_isready", "-h", "127.0.0.1", "-p", str(self.port))
            self._sql("postgres", "SELECT 'CREATE DATABASE edge' WHERE NOT EXISTS"
                      " (SELECT FROM pg_database WHERE datname = 'edge')\\gexec")  # fmt: skip
            return True
        return False

    def _sql(self, database: str, text: str) -> None:
        environment = {**os.environ, "PGPASSWORD": PASSWORD}
        command = [_postgresql_program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"]
        command += ["-p", str(self.port), "-U", "edge", "-d", database]
        done = subprocess.run(
            command, input=text.encode(), env=environment, capture_output=True, timeout=30, check=False
        )
        assert done.returncode == 0, done.stderr.decode()

    def wipe(self) -> None:
        self._sql("edge", "DROP TABLE IF EXISTS edge_entries, edge_leases, edge_changes, edge_counter")

    def dump(self) -> bytes:
        command = [
            _postgresql_program("pg_dump"),
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            "edge",
            "--inserts",
            "edge",
        ]
        environment = {**os.environ, "PGPASSWORD": PASSWORD}
        text = subprocess.run(command, env=environment, capture_output=True, timeout=30, check=True).stdout.decode()
        return b"\n".join(_unhex(word) for word in text.replace("'", " ").split())


def _unhex(word: str) -> bytes:
    with contextlib.suppress(ValueError):
        if word.startswith("\\x"):
            return bytes.fromhex(word[2:])
    return word.encode()


def _postgresql_program(name: str) -> str:
    """Debian keeps the server's programs beside the PATH, one directory per major version."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    program = str(found[-1]) if found else shutil.which(name)
    assert program, f"{name} is not installed; .ci/run installs the package postgresql"
    return program


@contextlib.contextmanager
def password_in_environment() -> Iterator[None]:
    """The password where a node without further words looks for it."""
    before = os.environ.get("EDGE_STORAGE_PASSWORD")
    os.environ["EDGE_STORAGE_PASSWORD"] = PASSWORD
    try:
        yield
    finally:
        if before is None:
            del os.environ["EDGE_STORAGE_PASSWORD"]
        else:
            os.environ["EDGE_STORAGE_PASSWORD"] = before
