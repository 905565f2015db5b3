"""The storage contract on a database server that several machines share: see `server` for what the server does.

Locks are leases of a few seconds that `leases` extends. Each carries a token, and `lock` yields a view of this storage whose
every write names it; the server looks in the same atomic step whether it is still the present one. So a process that was
stopped, swapped out or cut off for longer than its lease finds its writes refused, not the newer state overwritten.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from edge.errors import LeaseLost, StorageError
from edge.storage.contract import Changes
from edge.storage.keys import check_key, check_segment
from edge.storage.leases import Leases
from edge.storage.seal import NoSeal, Seal
from edge.storage.server import Alias, Create, Edit, Lease, Point, Put, Refused, Remove, Server, Value

FORMAT = "1"
"""What `format/version` says. Raised when older code could misread what newer code writes."""

MAX_VALUE = 1024 * 1024
"""Bytes of one value, as on disk."""

_CANARY = b"sealed by edge"
"""Stored sealed, so that a node with another storage key is told so before it writes what nobody else can read."""


class ServerStorage:
    """Implements `contract.SharedStorage`. For one thread; `server` is ours alone, `leases` shared by all views."""

    follow_every = 1.0

    def __init__(
        self,
        server: Server,
        leases: Leases,
        seal: Seal | None = None,
        *,
        lease: Lease | None = None,
        is_ready: bool = False,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._server = server
        self._leases = leases
        self._seal = seal or NoSeal()
        self._lease = lease
        self._is_ready = is_ready
        self._wall_clock = wall_clock

    def __repr__(self) -> str:
        return f"<ServerStorage {self._server!r}{f' {self._lease.name} {self._lease.token}' if self._lease else ''}>"

    # -- values --------------------------------------------------------------------------------------------------------

    def load(self, key: str) -> bytes | None:
        """The value, or None when there is none. Raises: StorageError, also for what this node's storage key does not open."""
        entry = self._server.read(check_key(key))
        if entry is None:
            key = self._behind_alias(key)
            entry = self._server.read(key) if key else None
        return self._seal.open(key, entry.data) if isinstance(entry, Value) else None

    def _behind_alias(self, key: str) -> str:
        """The key that `key` stands for when a directory above it is an alias; "" when none is."""
        above = _directories_of(key)
        for alias, target in (self._server.aliases(above) if above else {}).items():
            return f"{_sibling(alias, target)}/{key.removeprefix(f'{alias}/')}"
        return ""

    def store(self, key: str, value: bytes) -> None:
        """Put or replace one value."""
        self._write(Put(check_key(key), self._closed(key, value)))

    def store_directory(self, key: str, values: Mapping[str, bytes]) -> None:
        """Create directory `key` with these files in one step; it must not exist yet."""
        check_key(key)
        closed = {check_segment(name): self._closed(f"{key}/{name}", value) for name, value in values.items()}
        self._write(Create(key, closed))

    def _closed(self, key: str, value: bytes) -> bytes:
        if len(value) > MAX_VALUE:
            raise StorageError(f"cannot write {key} in the storage: it has more than {MAX_VALUE} bytes")
        return self._seal.close(key, value)

    def delete(self, key: str) -> None:
        """Remove a value, an alias (not what it points at), or a directory with all below it."""
        self._write(Remove(check_key(key)))

    def list(self, key: str) -> list[str]:
        """Names directly below a directory, sorted."""
        return sorted(self._server.names(check_key(key)))

    # -- aliases -------------------------------------------------------------------------------------------------------

    def point(self, key: str, target: str) -> None:
        """Make `key` an alias of the directory `target`, a path relative to the directory that holds `key`."""
        directory = _sibling(check_key(key), check_key(target))
        self._write(Point(key, target, directory))

    def resolve(self, key: str) -> str | None:
        """What `point` last said for `key`, or None."""
        entry = self._server.read(check_key(key))
        return check_key(entry.target) if isinstance(entry, Alias) else None

    # -- damage --------------------------------------------------------------------------------------------------------

    def quarantine(self, key: str, reason: str) -> None:
        """Copy a value or directory to `quarantine/TIME-RANDOM-KEY`, with the reason beside it, then remove it."""
        found = dict(self._below(check_key(key)))
        if not found:
            return
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._wall_clock()))
        name = f"quarantine/{stamp}-{secrets.token_hex(4)}-{key.replace('/', '-')[-80:]}"
        for path, value in found.items():
            self.store(name + path.removeprefix(key), value)
        self.store(f"{name}.reason", reason.encode())
        self.delete(key)

    def _below(self, key: str) -> Iterator[tuple[str, bytes]]:
        value = self.load(key)
        if value is not None:
            yield key, value
        for name in self.list(key):
            yield from self._below(f"{key}/{name}")

    # -- locks ---------------------------------------------------------------------------------------------------------

    @contextmanager
    def lock(self, name: str) -> Iterator[ServerStorage | None]:
        """See `Storage.lock`."""
        self._make_ready()
        lease = self._leases.claim(check_key(name))
        if lease is None:
            yield None
            return
        try:
            yield ServerStorage(
                self._server, self._leases, self._seal, lease=lease, is_ready=True, wall_clock=self._wall_clock
            )
        finally:
            self._leases.release(lease)

    def held(self, prefix: str) -> frozenset[str]:
        """See `SharedStorage.held`."""
        return frozenset(self._server.held(prefix))

    def changes(self, since: object) -> Changes:
        """See `Storage.changes`."""
        revision, areas = self._server.changes(since if isinstance(since, int) else None)
        return Changes(revision, frozenset(areas))

    def close(self) -> None:
        """Let go of the connections."""
        self._server.close()

    # -- writing -------------------------------------------------------------------------------------------------------

    def _write(self, edit: Edit) -> None:
        self._make_ready()
        if self._lease is not None and self._leases.is_lost(self._lease):
            raise self._lost(self._lease)
        try:
            self._server.write(edit, self._lease)
        except Refused as exc:
            if exc.why == "lost" and self._lease is not None:
                raise self._lost(self._lease) from exc
            raise StorageError(_REFUSED[exc.why].format(key=edit.key)) from exc

    @staticmethod
    def _lost(lease: Lease) -> LeaseLost:
        return LeaseLost(f"another node has taken over {lease.name} while this one was away; nothing was written")

    def _make_ready(self) -> None:
        """See, before the first change, that this server is ours to write to: our format, our storage key."""
        if self._is_ready:
            return
        if self._server.read("format/version") is None:
            first = {"version": FORMAT.encode(), "seal": self._seal.close("format/seal", _CANARY)}
            with suppress(Refused):  # another node was faster; the look below says whether it has the same storage key
                self._server.write(Create("format", first), None)
        self._check_format()
        self._is_ready = True

    def _check_format(self) -> None:
        version, canary = self._server.read("format/version"), self._server.read("format/seal")
        if not isinstance(version, Value) or version.data.decode(errors="replace") != FORMAT:
            raise StorageError("the storage was written by another version of edge: upgrade, or use another database")
        data = canary.data if isinstance(canary, Value) else b""
        if isinstance(self._seal, NoSeal) and data != _CANARY:
            raise StorageError("the storage is sealed with a storage key: give this node the same key_file or key_env")
        if not isinstance(self._seal, NoSeal) and data == _CANARY:
            raise StorageError(
                "the storage was begun without a storage key: leave key_file out, or use an empty database"
            )
        self._seal.open("format/seal", data)


_REFUSED = {
    "exists": "cannot write {key} in the storage: it exists already",
    "missing": "cannot point {key} at a directory that is not there",
    "lost": "cannot write {key} in the storage: the lease is lost",
}


def _sibling(key: str, target: str) -> str:
    parent = key.rpartition("/")[0]
    return f"{parent}/{target}" if parent else target


def _directories_of(key: str) -> list[str]:
    """The directories above a key, the nearest last."""
    segments = key.split("/")
    return ["/".join(segments[:count]) for count in range(1, len(segments))]
