"""The command at a terminal: what a person sees, and Ctrl-C."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from types import TracebackType
from typing import Self

from tests.blackbox.edge_process import REPOSITORY
from tests.blackbox.load import PATIENCE


class Terminal:
    """`python -m edge …` with a terminal of its own; `screen` is what it has shown so far, without colours."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self._shown = b""

    def __enter__(self) -> Self:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edge", *self._arguments],
            cwd=REPOSITORY,
            env={**os.environ, "TERM": "xterm", "PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": "utf-8"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self._read_to_end()
        self.process.wait(PATIENCE)
        os.close(self._ours)

    @property
    def screen(self) -> str:
        """Lines end with a line feed only."""
        text = self._shown.decode("utf-8", "replace").replace("\r\n", "\n")
        return re.sub(r"\x1b\[[0-9;]*m", "", text)

    @property
    def is_coloured(self) -> bool:
        """Whether any colour was used."""
        return b"\x1b[" in self._shown

    def wait_for(self, words: str, timeout: float = PATIENCE) -> None:
        """Until the screen shows `words`."""
        deadline = time.monotonic() + timeout
        while words not in self.screen:
            assert time.monotonic() < deadline, self.screen
            assert self._read(0.2), self.screen

    def _read(self, timeout: float) -> bool:
        """Whether more may come."""
        ready, _, _ = select.select([self._ours], [], [], timeout)
        if not ready:
            return True
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # the last process has closed its end
            return False
        self._shown += data
        return bool(data)

    def _read_to_end(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._read(0.2):
            continue
