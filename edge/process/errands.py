"""The command's side of the inbox: have the running keeper do something, or run an edge for as long as it takes.

Proving a name needs listeners on the right ports, workers without rights, and everything else that edge is. So when none runs,
the command starts one with the same configuration, asks it, and stops it again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from edge.certs.requests import Answer, ChangeAccount, LookAgain, Reason, Renew, Request, Revoke
from edge.config.storage_setting import server_of
from edge.errors import StartError, StorageError
from edge.process.inbox import fetch_answer, is_taken, keeper_absent, leave_request, take_back
from edge.process.privileges import acting_as, owner_of
from edge.storage.contract import Storage
from edge.storage.opening import open_storage

__all__ = [
    "Answer",
    "ChangeAccount",
    "Reason",
    "Renew",
    "Request",
    "Revoke",
    "ask_keeper",
    "edge_command",
    "tell_keeper",
]

TAKE_TIMEOUT: Final = 20.0
"""Seconds until a keeper has taken a request; it looks every second, and may just be starting."""

ANSWER_TIMEOUT: Final = 1300.0
"""Seconds. An attempt takes 600 at the most, and may have to wait for one that is under way."""

POLL: Final = 0.1

START_TIMEOUT: Final = 30.0


def ask_keeper(setting: str, request: Request, command: Sequence[str]) -> Answer:
    """What became of the request. `setting` is the storage; `command` starts an edge with the operator's configuration, for
    when none runs. Raises: ConfigError, StorageError, StartError."""
    with open_as_owner(setting) as storage:
        if not _is_alone(storage):
            return _ask(storage, request)
    with _edge_running(command, lambda: not _is_alone(storage)), open_as_owner(setting) as storage:
        return _ask(storage, request)


def tell_keeper(setting: str) -> bool:
    """Have a running keeper look at what has been put into the storage; whether one runs. Raises: ConfigError, StorageError."""
    with open_as_owner(setting) as storage:
        return not _is_alone(storage) and _ask(storage, LookAgain()).is_done


@contextmanager
def open_as_owner(setting: str) -> Iterator[Storage]:
    """The storage; root acts as whoever owns the directory, because the keeper must be able to read what is written."""
    account = owner_of(setting) if server_of(setting) is None else None
    with acting_as(account):
        yield open_storage(setting)


def _is_alone(storage: Storage) -> bool:
    with keeper_absent(storage) as absent:
        return absent


def _ask(storage: Storage, request: Request) -> Answer:
    number = leave_request(storage, request)
    try:
        _wait(lambda: is_taken(storage, number) or None, TAKE_TIMEOUT, "edge runs, but does not take the request")
    except BaseException:
        take_back(storage, number)
        raise
    answer = _wait(lambda: fetch_answer(storage, number), ANSWER_TIMEOUT, "edge has not answered; see edge certs")
    assert isinstance(answer, Answer)
    return answer


def _wait(look: Callable[[], Answer | bool | None], seconds: float, complaint: str) -> Answer | bool:
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            raise StorageError(complaint)
        time.sleep(POLL)


@contextmanager
def _edge_running(command: Sequence[str], is_ready: Callable[[], bool]) -> Iterator[None]:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=_environment())  # noqa: S603  # this very program
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise StartError("no edge runs, and one could not be started for this", "what it said stands above")
            time.sleep(POLL)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def edge_command(arguments: Sequence[str]) -> list[str]:
    """The command that starts an edge with these flags."""
    return [sys.executable, "-m", "edge", "run", "--access-log", "off", "--log-format", "text", *arguments]
