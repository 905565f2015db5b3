"""The running demo of `make demo`: examples/demo.py on free ports, with its state in a temporary directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType

from tests.blackbox.edge_process import REPOSITORY, free_port

START_TIMEOUT = 60.0
STOP_TIMEOUT = 45.0


class DemoProcess:
    """A context manager that starts the demo, waits until the site answers, and stops it by SIGTERM.

    It leads a process group of its own; gunicorn and edge lead theirs, so `members` finds all by the state directory that
    only they name on their command lines.
    """

    def __init__(self, state: Path) -> None:
        self.state = state
        self.https_port, self.http_port = free_port(), free_port()
        self._lines: list[str] = []
        self._process: subprocess.Popen[str]
        self._reader: threading.Thread

    @property
    def root(self) -> Path:
        """The local CA's root certificate."""
        return self.state / "edge" / "local-ca" / "root.pem"

    @property
    def output(self) -> str:
        """What demo, gunicorn and edge have said so far."""
        return "".join(self._lines)

    def __enter__(self) -> DemoProcess:
        environment = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "DEMO_STATE": str(self.state),
            "DEMO_HTTPS_PORT": str(self.https_port),
            "DEMO_HTTP_PORT": str(self.http_port),
        }
        self._process = subprocess.Popen(
            [sys.executable, str(REPOSITORY / "examples" / "demo.py")],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._wait_until_it_answers()
        except BaseException:
            self._end()
            raise
        return self

    def _read(self) -> None:
        assert self._process.stdout is not None
        self._lines.extend(self._process.stdout)

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not (self.root.exists() and self._try_curl("--fail", self.url("/healthz")).returncode == 0):
            assert self._process.poll() is None, f"the demo ended with {self._process.returncode}:\n{self.output}"
            assert time.monotonic() < deadline, f"the demo takes too long:\n{self.output}"
            time.sleep(0.1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        status = self.stop(signal.SIGTERM) if self._process.poll() is None else self._process.returncode
        self._end()
        if kind is None:
            assert status == 0, self.output

    def stop(self, number: signal.Signals) -> int:
        """Send the demo a signal; its exit status."""
        self._process.send_signal(number)
        return self._process.wait(STOP_TIMEOUT)

    def _end(self) -> None:
        """Whatever happened: nothing is left running or open."""
        for pid in self.members():
            os.kill(pid, signal.SIGKILL)
        self._process.wait(STOP_TIMEOUT)
        self._reader.join(5)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def members(self) -> dict[int, str]:
        """Pid and command line of each live process of this demo, its own included."""
        found = {}
        for directory in Path("/proc").iterdir():
            if not directory.name.isdigit():
                continue
            try:
                line = (directory / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
            if str(self.state) in line or directory.name == str(self._process.pid):
                found[int(directory.name)] = line
        return {pid: line for pid, line in found.items() if line}  # a zombie has no command line

    # -- requests -----------------------------------------------------------------------------------------------------

    def url(self, path: str) -> str:
        """The https address of a path."""
        return f"https://localhost:{self.https_port}{path}"

    def plain_url(self, path: str) -> str:
        """The http address of a path."""
        return f"http://localhost:{self.http_port}{path}"

    def curl(self, *words: str) -> str:
        """What curl prints; the demo's usual ports and directory in `words` become those of this one."""
        done = self._try_curl("--fail", *[self._here(word) for word in words])
        assert done.returncode == 0, f"curl {words}: {done.stderr}\n{self.output}"
        return done.stdout

    def _here(self, word: str) -> str:
        word = word.replace("localhost:8443", f"localhost:{self.https_port}")
        return word.replace("localhost:8080", f"localhost:{self.http_port}").replace(".cache/demo", str(self.state))

    def _try_curl(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "20"]
        return subprocess.run(
            [*command, "--cacert", str(self.root), *words], capture_output=True, text=True, check=False
        )
