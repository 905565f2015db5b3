"""Ask a function of the operator, `module:function`, in a process of its own.

The function is the operator's code, with his database and his mistakes. It runs neither in a worker, which speaks with
strangers, nor in the keeper, which holds account keys: a child process imports it, as the user that workers are, without the
environment variables that hold our secrets. One question at a time; a child that does not answer is killed and made anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

from edge.certs.acme.problems import clean
from edge.certs.on_demand.ask import ANSWER_TIMEOUT, AskFailed
from edge.certs.on_demand.child import NO, READY, YES
from edge.config.on_demand_schema import AskCallable

IMPORT_TIMEOUT: Final = 20.0
"""Seconds until the module must have been imported; a large Django project takes five."""

RESTART_PAUSE: Final = 10.0
"""Seconds until a child that could not start is tried again; until then its words are the answer."""

LONGEST_LINE: Final = 4096


class AskByCall:
    """Implements `Ask`. `user` is who the function runs as when we are root; `hidden` are environment variables that it must
    not see."""

    def __init__(self, settings: AskCallable, user: str, hidden: frozenset[str]) -> None:
        self._settings = settings
        self._user = user
        self._hidden = hidden
        self._turn = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None
        self._problem: tuple[str, float] = ("", 0.0)

    async def ask(self, name: str) -> bool:
        """See `Ask`."""
        async with self._turn:
            child = self._child or await self._start()
            try:
                line = await self._exchange(child, name)
            except BaseException:  # also when we are cancelled: its answer would be taken for the next one's
                await self.close()
                raise
        if line in (YES, NO):
            return line == YES
        raise AskFailed(f"{self._settings}: {line or 'its process ended'}")

    async def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    async def _exchange(self, child: asyncio.subprocess.Process, name: str) -> str:
        assert child.stdin is not None
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                child.stdin.write(f"{name}\n".encode())
                await child.stdin.drain()
                line = await self._line(child)
        except TimeoutError as exc:
            raise AskFailed(f"{self._settings} did not return within {ANSWER_TIMEOUT:g} s") from exc
        except OSError:
            line = ""
        if not line:
            await self.close()
        return line

    async def _start(self) -> asyncio.subprocess.Process:
        words, until = self._problem
        if time.monotonic() < until:
            raise AskFailed(words)
        try:
            return await self._begin()
        except AskFailed as failure:
            self._problem = (str(failure), time.monotonic() + RESTART_PAUSE)
            raise

    async def _begin(self) -> asyncio.subprocess.Process:
        arguments = (self._settings.module, self._settings.function, self._settings.directory)
        try:
            self._child = child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "edge.certs.on_demand.child", *arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={key: value for key, value in os.environ.items() if key not in self._hidden},
                limit=LONGEST_LINE,
                **rights_of(self._user),
            )
        except OSError as exc:
            who = f" as {self._user}" if rights_of(self._user) else ""
            reason = (exc.strerror or "it cannot be run").lower()
            raise AskFailed(f"{self._settings}: {sys.executable} cannot be started{who}: {reason}") from exc
        try:
            async with asyncio.timeout(IMPORT_TIMEOUT):
                line = await self._line(child)
        except TimeoutError as exc:
            await self.close()
            raise AskFailed(f"{self._settings} was not imported within {IMPORT_TIMEOUT:g} s") from exc
        if line != READY:
            await self.close()
            raise AskFailed(f"{self._settings}: {line or 'its process ended before it could be asked'}")
        return child

    @staticmethod
    async def _line(child: asyncio.subprocess.Process) -> str:
        """What it says next, "" when it is gone."""
        assert child.stdout is not None
        try:
            return clean((await child.stdout.readline()).decode("utf-8", "replace"))
        except ValueError:  # longer than the limit
            return "it said too much"


def rights_of(user: str) -> Mapping[str, Any]:
    """Arguments that make a subprocess run as `user`; none when we are not root or nobody is named."""
    if not user or os.geteuid() != 0:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
