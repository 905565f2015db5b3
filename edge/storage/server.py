"""What a database server has to do for `ServerStorage`: few operations, each of them one atomic step of the server.

Keys here are checked already. Entries form a tree: writing one makes the directories above it, and removing one takes what is
below it along. A write that carries a `Lease` is refused when the server does not hold exactly this lease any more.
Time is the server's: no clock of a client is ever compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias

from msgspec import Struct


class Value(Struct, frozen=True):
    """An entry that holds bytes, in whatever form they are kept."""

    data: bytes


class Alias(Struct, frozen=True):
    """An entry that stands for another directory; `target` as `Storage.point` was told."""

    target: str


Entry: TypeAlias = Value | Alias


class Put(Struct, frozen=True):
    """Put or replace one value."""

    key: str
    data: bytes


class Create(Struct, frozen=True):
    """Make a directory with these values; there must be nothing at `key`."""

    key: str
    values: Mapping[str, bytes]


class Point(Struct, frozen=True):
    """Make `key` an alias of `directory`, a whole key that must be a directory."""

    key: str
    target: str
    directory: str


class Remove(Struct, frozen=True):
    """Remove whatever is at `key` and below."""

    key: str


Edit: TypeAlias = Put | Create | Point | Remove


class Lease(Struct, frozen=True):
    """A lock for a while. `token` grows with every lease that the server gives; `owner` is whoever asked."""

    name: str
    token: int
    owner: str


class Refused(Exception):
    """The server did not make the edit: `lost` the lease is not the present one, `exists` or `missing` the edit's condition."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Server(Protocol):
    """One connection's worth of a server. Every method raises StorageError when the server cannot be asked."""

    def read(self, key: str) -> Entry | None:
        """The value or alias at `key`; None for a directory or nothing."""

    def aliases(self, keys: list[str]) -> dict[str, str]:
        """Those of `keys` that are aliases, with their targets."""

    def names(self, key: str) -> list[str]:
        """Names directly below, in any order."""

    def write(self, edit: Edit, lease: Lease | None) -> None:
        """Raises: Refused, StorageError."""

    def claim(self, name: str, owner: str, seconds: float) -> Lease | None:
        """A lease, unless there is one that has not run out."""

    def extend(self, lease: Lease, seconds: float) -> bool:
        """So many seconds from now; False when it has been given to somebody else."""

    def release(self, lease: Lease) -> None:
        """Free at once; no error when it has been given to somebody else."""

    def held(self, prefix: str) -> list[str]:
        """Names of leases that have not run out."""

    def changes(self, since: int | None) -> tuple[int, set[str]]:
        """The present revision, and the areas with changes after revision `since`, all for None."""

    def close(self) -> None:
        """Let go of connections; the next call makes new ones."""
