"""A WSGI application of these tests under a real gunicorn, which can be restarted as a service manager does it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from tests.blackbox.edge_process import REPOSITORY

START_TIMEOUT = 30.0


class GunicornProcess:
    """`application` ("package.module:name") on `bind` ("127.0.0.1:8000" or "unix:/run/x.sock"); a context manager."""

    def __init__(self, application: str, bind: str, directory: Path, *flags: str) -> None:
        self.bind = bind
        self._application = application
        self._directory = directory
        self._flags = flags
        self.process: subprocess.Popen[bytes]

    def start(self) -> None:
        """Start without waiting."""
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "--bind", self.bind, "--log-level", "critical"),
                *("--worker-tmp-dir", str(self._directory), "--no-control-socket", *self._flags, self._application),
            ],
            cwd=REPOSITORY,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def stop(self) -> None:
        """SIGTERM, as `systemctl stop` sends it; returns when it has ended."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def kill(self) -> None:
        """SIGKILL for all of its processes at once, as a machine that runs out of memory does it."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def restart(self, pause: float = 0.0) -> None:
        """What `systemctl restart` does; `pause` is how long the application takes to come back."""
        self.stop()
        time.sleep(pause)
        self.start()

    def wait_up(self) -> None:
        """Until it accepts connections."""
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if self._accepts():
                return
            time.sleep(0.02)
        raise AssertionError("gunicorn does not start")

    def _accepts(self) -> bool:
        path = self.bind.removeprefix("unix:")
        with socket.socket(socket.AF_UNIX if path != self.bind else socket.AF_INET) as probe:
            host, _, port = self.bind.partition(":")
            return probe.connect_ex(path if path != self.bind else (host, int(port))) == 0

    def __enter__(self) -> GunicornProcess:
        self.start()
        self.wait_up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
