"""A connection to a server that may be slow, silent or away, for callers that must not wait for it.

Calls run on a thread of their own and whoever calls waits `PATIENCE` at most, whatever hangs: the resolver, the connection,
the server. What is late is left behind with its connection; should it still come through, its lease has the last word. After a
failure nobody asks again before a pause that doubles, and calls in between fail at once.

A connection that breaks is replaced once and the work done again: a server that was restarted is not news. So work may be done
twice when only its answer was lost, which every operation of `server.Server` bears.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from queue import SimpleQueue
from typing import Generic, TypeVar

from edge.errors import StorageError

PATIENCE = 3.0
"""Seconds. A server in the same data centre answers within milliseconds; a disk that is busy may need a second."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
"""Seconds between two tries: a restarted server is back within seconds, and one that is down is asked four times a minute."""

ASLEEP = 1.0
"""Seconds more than the patience after which this process must have been stopped itself."""

LONGEST_CAUSE = 200

C = TypeVar("C")
T = TypeVar("T")


class Link(Generic[C]):
    """One connection at a time, made when it is needed. For one thread at a time.

    `errors` are what the client's package raises; `name` is how messages call the server.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], C],
        close: Callable[[C], None],
        errors: tuple[type[Exception], ...],
        *,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._connect = connect
        self._close = close
        self._errors: tuple[type[Exception], ...] = (*errors, OSError)
        self._patience = patience
        self._clock = clock
        self._lane = _Lane(connect, close)
        self._pause = 0.0
        self._again_at = 0.0
        self._cause = ""

    def __repr__(self) -> str:
        return f"<Link {self._name} {self._cause or 'good'}>"

    def use(self, work: Callable[[C], T]) -> T:
        """What `work` returns. Raises: StorageError when the server cannot be asked, and whatever else `work` raises."""
        pause = self._again_at - self._clock()
        if pause > 0:
            raise StorageError(f"{self._cause}; next try in {pause:.1f} s")
        try:
            result = self._try(work)
        except _Late as exc:
            self.close()
            raise self._failed(f"no answer within {self._patience:g} s") from exc
        except self._errors as exc:
            self.close()
            raise self._failed(_in_words(exc)) from exc
        self._pause, self._cause = 0.0, ""
        return result

    def _try(self, work: Callable[[C], T]) -> T:
        """On the connection that there is, else or after its end on a new one."""
        if self._lane.is_connected:
            try:
                return self._lane.run(work, self._patience)
            except self._errors:
                self.close()
        return self._lane.run(work, self._patience)

    def _failed(self, cause: str) -> StorageError:
        self._pause = min(max(2 * self._pause, FIRST_PAUSE), LONGEST_PAUSE)
        self._again_at = self._clock() + self._pause
        self._cause = f"the storage server {self._name} cannot be used: {cause}"
        return StorageError(self._cause)

    def close(self) -> None:
        """Leave the connection to its thread, which closes it; the next use makes new ones."""
        self._lane.end(self._patience)
        self._lane = _Lane(self._connect, self._close)


class _Late(Exception):
    """The work is not done; it goes on."""


class _Lane(Generic[C]):
    """A daemon thread with its own connection, both made when they are needed. It does one piece of work after another."""

    def __init__(self, connect: Callable[[], C], close: Callable[[C], None]) -> None:
        self._connect = connect
        self._close = close
        self._connection: C | None = None
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_late = False

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    def run(self, work: Callable[[C], T], patience: float) -> T:
        """What `work` returns or raises. Raises: _Late; then this lane is not to be used again."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="edge-storage", daemon=True)
            self._thread.start()
        outcome: Future[T] = Future()
        self._work.put(lambda: _settle(outcome, lambda: work(self._connected())))
        began = time.monotonic()
        if not _is_done(outcome, patience) and time.monotonic() > began + patience + ASLEEP:
            _is_done(outcome, patience)  # it was us who slept: the answer may be there
        if not outcome.done():
            self._is_late = True
            raise _Late
        return outcome.result()

    def end(self, patience: float) -> None:
        """Close the connection and let the thread go, as soon as it has finished. What is late is not waited for."""
        if self._thread is not None:
            self._work.put(None)
            self._thread.join(0.0 if self._is_late else patience)

    def _connected(self) -> C:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
        if self._connection is not None:
            with suppress(Exception):  # it is given up in any case
                self._close(self._connection)


def _is_done(outcome: Future[T], patience: float) -> bool:
    return bool(wait([outcome], patience).done)


def _settle(outcome: Future[T], work: Callable[[], T]) -> None:
    try:
        outcome.set_result(work())
    except BaseException as exc:  # carried to whoever waits
        outcome.set_exception(exc)


def _in_words(exc: Exception) -> str:
    """One line of a message that comes from a package or a server."""
    text = str(exc).strip() or type(exc).__name__
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:LONGEST_CAUSE]
