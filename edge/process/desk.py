"""The keeper's side of the inbox: it looks for requests once a second and has the manager carry them out, each beside the others.

It also holds the lock that tells commands that a keeper is there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from edge.certs.requests import Answer, Request
from edge.errors import StorageError
from edge.process.inbox import KEEPER_LOCK, give_answer, take_requests
from edge.storage.contract import Storage
from edge.telemetry.logs import get_logger

INTERVAL: Final = 1.0
"""Seconds between two looks. A person waits for it; a look at an empty directory costs next to nothing."""

PAUSE_AFTER_TROUBLE: Final = 30.0
"""Seconds. A disk that fails does so for everybody, who say it louder."""

log = get_logger("process")


class Desk:
    """Carries requests from the storage to `perform` and answers back. `run` never ends by itself."""

    def __init__(self, storage: Storage, perform: Callable[[Request], Awaitable[Answer]]) -> None:
        self._storage = storage
        self._perform = perform
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled; what is under way is cancelled too."""
        try:
            await asyncio.gather(self._hold_lock(), self._look_for_ever())
        finally:
            for task in self._tasks:
                task.cancel()

    async def _hold_lock(self) -> None:
        while True:
            try:
                with self._storage.lock(KEEPER_LOCK) as got:
                    if got:
                        await asyncio.Event().wait()
            except StorageError as problem:
                log.debug("keeper lock not held", problem=str(problem))
                await asyncio.sleep(PAUSE_AFTER_TROUBLE)
            await asyncio.sleep(INTERVAL)  # an earlier keeper is about to end, or another node holds it

    async def _look_for_ever(self) -> None:
        while True:
            pause = INTERVAL
            try:
                for number, request in take_requests(self._storage, time.time()):
                    self._begin(number, request)
            except StorageError as problem:
                log.debug("requests unreadable", problem=str(problem))
                pause = PAUSE_AFTER_TROUBLE
            await asyncio.sleep(pause)

    def _begin(self, number: str, request: Request) -> None:
        log.info("request from an operator", request=str(request))
        task = asyncio.create_task(self._carry_out(number, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, number: str, request: Request) -> None:
        try:
            answer = await self._perform(request)
        except Exception:  # a defect of ours must not leave a person waiting
            log.exception("request failed")
            answer = Answer(False, ("edge met an error of its own; its log has the details",))
        for sentence in answer.sentences:
            log.info("request done" if answer.is_done else "request not done", outcome=sentence)
        try:
            give_answer(self._storage, number, answer, time.time())
        except StorageError as problem:
            log.warning("answer not delivered", problem=str(problem))
