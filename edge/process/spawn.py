"""Forking a child that shares our memory and nothing else.

There is no exec: all workers must share one TLS context made before the fork, because its session ticket keys make
a visitor's second connection resume at any worker. The price is care about what is inherited. A child begins with all of
our signals blocked, closes what is ours (`release`), resets its signals, runs, and leaves by `os._exit`: it never returns into
frames that belong to the parent.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable
from typing import Final, NoReturn

from edge.errors import EdgeError, StartError
from edge.process.prctl import keep_memory_private, set_process_name, signal_when_parent_dies
from edge.process.privileges import Account, drop_privileges
from edge.process.signals import HEARD, reset_in_child
from edge.telemetry.logs import get_logger

EXIT_CANNOT_START: Final = 3
"""A child that has said in one sentence why it cannot work; trying again later may help."""

EXIT_CRASHED: Final = 70
"""A child that met an error of ours (EX_SOFTWARE of sysexits.h)."""

log = get_logger("process")


def fork_child(name: str, release: Callable[[], None], main: Callable[[], int]) -> int:
    """The pid of a new process that runs `release()`, then `main()`, and exits with its result. Raises: OSError."""
    _flush()
    gc.collect()
    gc.freeze()  # the child's collector must not touch, and so copy, the pages that it shares with us
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
    try:
        pid = os.fork()
        if pid == 0:
            _run_child(name, release, main, mask)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return pid


def settle_child(parent: int, account: Account | None) -> None:
    """First step of every `main`: give up rights, then tie our life to the parent's (in this order, see prctl). Keys are in the
    memory of keeper and workers, so it is nobody's to look at."""
    drop_privileges(account)
    keep_memory_private()
    signal_when_parent_dies(signal.SIGTERM)
    if os.getppid() != parent:
        raise StartError("the supervisor is gone")


def _run_child(
    name: str, release: Callable[[], None], main: Callable[[], int], mask: set[int | signal.Signals]
) -> NoReturn:
    status = EXIT_CRASHED
    try:
        release()
        reset_in_child()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        set_process_name(f"edge: {name}")
        status = main()
    except EdgeError as problem:
        hints = problem.hints if isinstance(problem, StartError) else ()
        log.error("cannot start", problem=str(problem), hints=hints)
        status = EXIT_CANNOT_START
    except BaseException:  # nothing may unwind into the parent's frames
        log.exception("crashed")
    finally:
        _flush()
        os._exit(status)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # closed, or a pipe whose reader is gone
            stream.flush()
