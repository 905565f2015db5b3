"""The part of a service manager that edge sees: a notify socket."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.process.running import PATIENCE


class NotifySocket:
    """Collects what is said to it; `environment` is for the process that speaks."""

    def __init__(self, directory: Path, watchdog: float = 0.0) -> None:
        self.path = directory / "notify.sock"
        self.heard: list[dict[str, str]] = []
        self._watchdog = watchdog
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def __enter__(self) -> Self:
        self._sock.bind(str(self.path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._sock.close()

    @property
    def environment(self) -> dict[str, str]:
        watchdog = {"WATCHDOG_USEC": str(int(self._watchdog * 1e6))} if self._watchdog else {}
        return {"NOTIFY_SOCKET": str(self.path), **watchdog}

    def wait(self, name: str) -> dict[str, str]:
        """The next message that has this variable."""
        deadline = time.monotonic() + PATIENCE
        while True:
            self._sock.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                text = self._sock.recv(65536).decode()
            except TimeoutError:
                raise AssertionError(f"nobody said {name}, but {self.heard}") from None
            message = dict(line.split("=", 1) for line in text.splitlines())
            self.heard.append(message)
            if name in message:
                return message
