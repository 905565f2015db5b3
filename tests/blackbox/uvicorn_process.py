"""An ASGI application of these tests under a real uvicorn."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from types import TracebackType

from tests.blackbox.edge_process import REPOSITORY, free_port


class UvicornProcess:
    """`application` ("package.module:name") on a free port of 127.0.0.1; a context manager."""

    def __init__(self, application: str) -> None:
        self.port = free_port()
        self._application = application

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> UvicornProcess:
        command = [sys.executable, "-m", "uvicorn", self._application, "--port", str(self.port), "--log-level", "error"]
        limits = ["--ws-max-size", str(64 * 1024 * 1024)]
        self.process = subprocess.Popen([*command, *limits], cwd=REPOSITORY, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.02)
        raise AssertionError("uvicorn does not start")

    def kill(self) -> None:
        """End it without a goodbye."""
        self.process.kill()
        self.process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()
