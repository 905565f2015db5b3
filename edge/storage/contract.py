"""What the certificate manager asks of a place to keep things.

A key is a relative path of `/`-separated segments (`accounts/pebble-1a2b3c4d/key.pem`); a segment matches
`[A-Za-z0-9._@*-]{1,128}` and is never `.` or `..`. A value is bytes.

Implementations MUST make `store` atomic and durable: after it returns, a crash at any moment leaves the new value; while it
runs, readers and a crash see the old value or the new one, nothing else. They MUST NOT let anybody but the owner read values.
They SHOULD fail fast: a full disk or a server that does not answer is `StorageError` now, not later.
Not guaranteed: order between stores of different keys seen by other processes.

Several processes, on one host or on several, may use one storage. What keeps them from each other's work is `lock`: it is
exclusive among all of them, and where it can be lost (a lease on a server, which a process that is paused does not renew) the
storage that it yields is fenced: the check that nobody else has got the lock since, and the write, are one step of the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from msgspec import Struct


class Changes(Struct, frozen=True):
    """What others, or we, have changed. `areas` are those of `keys.area_of`; `mark` is for the next question."""

    mark: object
    areas: frozenset[str]


class Storage(Protocol):
    """Keys to bytes. Every method may block on I/O, for a few seconds at most, and raises `StorageError`."""

    follow_every: float
    """Seconds between two calls of `changes` that cost next to nothing."""

    def load(self, key: str) -> bytes | None:
        """The value, or None when there is none."""

    def store(self, key: str, value: bytes) -> None:
        """Put or replace one value."""

    def store_directory(self, key: str, values: Mapping[str, bytes]) -> None:
        """Create directory `key` with these files in one atomic step; it must not exist. Used for immutable generations."""

    def point(self, key: str, target: str) -> None:
        """Make `key` an alias of the directory `target` (a sibling path relative to key's directory), atomically."""

    def resolve(self, key: str) -> str | None:
        """What `point` last said for `key`, or None."""

    def delete(self, key: str) -> None:
        """Remove a value or a directory with all below it; no error when there is none."""

    def list(self, key: str) -> list[str]:
        """Names (last segments) directly below a directory, sorted; [] when there is none. Temporary names are left out."""

    def quarantine(self, key: str, reason: str) -> None:
        """Move a damaged value or directory aside, below `quarantine/`, never deleting it."""

    def lock(self, name: str) -> AbstractContextManager[Storage | None]:
        """Enter to try an exclusive lock on `name`; freed on leaving, and soon after the process dies.

        The value is None when somebody else holds it, else this storage as the holder sees it: writes through it raise
        `LeaseLost`, and change nothing, once somebody else has been let in. After getting a lock, look again: the work may
        be done."""

    def changes(self, since: object) -> Changes:
        """Which areas have changed after `since`, the mark of an earlier answer; None reports every area there is.

        A change is reported by every process at its next call, in whichever process it was made."""


class SharedStorage(Storage, Protocol):
    """A storage that several machines use at a time."""

    def held(self, prefix: str) -> frozenset[str]:
        """The locks that somebody holds, by names that begin with `prefix`, as the server's clock has it."""
