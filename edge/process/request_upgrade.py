"""`edge upgrade`, seen from outside: asks the running supervisor by a signal, reads in its pid file how it went."""

from __future__ import annotations

import os
import select
import signal
import time
from typing import Final

from edge.errors import StartError
from edge.process.pid_file import Supervised, read_supervised
from edge.process.upgrade import TIMEOUT

POLL: Final = 0.1
"""Seconds between two looks at the file; a person waits."""

PATIENCE: Final = 2 * TIMEOUT
"""The upgrade itself has a deadline; behind that one nobody answers any more."""


def request_upgrade(storage: str) -> tuple[Supervised, Supervised]:
    """The supervisor that was replaced and the one that serves now. Raises: StartError with the reason, StorageError."""
    old = read_supervised(storage)
    if old is None:
        raise StartError(
            f"no edge runs with the storage {storage}",
            "name the storage or the configuration of the running one: edge upgrade --config FILE",
            "or send its supervisor SIGUSR2",
        )
    descriptor = _open_process(old)
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGUSR2)
        return old, _wait_replaced(storage, old, descriptor)
    except PermissionError as error:
        raise StartError(f"process {old.pid} is not ours to signal", "run this as the user that started it") from error
    finally:
        os.close(descriptor)


def _open_process(supervised: Supervised) -> int:
    try:
        return os.pidfd_open(supervised.pid)
    except OSError as error:
        raise StartError(f"process {supervised.pid}, which ran with this storage, is gone") from error


def _wait_replaced(storage: str, old: Supervised, descriptor: int) -> Supervised:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        has_ended = bool(select.select([descriptor], [], [], POLL)[0])
        now = read_supervised(storage)
        if now is not None and now.started != old.started:
            return now
        if now is not None and now.refusals != old.refusals:
            raise StartError("the upgrade failed, the old edge serves as before", *now.complaints)
        if has_ended:
            raise StartError(f"the running edge (pid {old.pid}) has ended", "see its log")
    raise StartError(f"the running edge (pid {old.pid}) does not say how the upgrade went", "see its log")
