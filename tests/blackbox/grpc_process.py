"""The gRPC service of these tests in a process of its own: it can be killed, and forks nothing of the test's."""

from __future__ import annotations

import subprocess
import sys
from types import TracebackType

from tests.blackbox.edge_process import REPOSITORY, free_port


class GRPCProcess:
    """A context manager; `address` is for `--upstream` without its scheme."""

    def __init__(self) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self.process: subprocess.Popen[str]

    def start(self) -> None:
        """Returns when it serves."""
        command = [sys.executable, "-m", "tests.blackbox.grpc_app", self.address]
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "serving\n"

    def kill(self) -> None:
        """End it without a goodbye."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def __enter__(self) -> GRPCProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()
