"""What the certificate manager asks of a place to keep things.

A key is a relative path of `/`-separated segments (`accounts/pebble-1a2b3c4d/key.pem`); a segment matches
`[A-Za-z0-9._@*-]{1,128}` and is never `.` or `..`. A value is bytes.

Implementations MUST make `store` atomic and durable: after it returns, a crash at any moment leaves the new value; while it
runs, readers and a crash see the old value or the new one, nothing else. They MUST NOT let anybody but the owner read values.
They SHOULD fail fast: a full or read-only disk is `StorageError` now, not later.
Not guaranteed: order between stores of different keys seen by other processes; notification of changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol


class Storage(Protocol):
    """Keys to bytes. Every method may block on I/O and raises `StorageError`."""

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

    def lock(self, name: str) -> AbstractContextManager[bool]:
        """Enter to try an exclusive lock on `name`, freed on leaving or when the process dies. The value tells whether it
        was got. After getting a lock, look again: the work may be done."""
