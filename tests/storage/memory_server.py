"""A server in memory, with a clock of its own: what leases do is tested without waiting for them."""

from __future__ import annotations

from collections.abc import Callable

from edge.errors import StorageError
from edge.storage.keys import area_of
from edge.storage.server import Alias, Create, Edit, Entry, Lease, Point, Put, Refused, Remove, Value


class MemoryDatabase:
    """What all nodes share. `now` is its clock; `is_away` makes it unreachable for everybody."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry | None] = {}
        self.leases: dict[str, tuple[Lease, float]] = {}
        self.areas: dict[str, int] = {}
        self.number = 0
        self.now = 1000.0
        self.is_away = False


class MemoryServer:
    """Implements `server.Server` on a `MemoryDatabase`. `before` is called before each write and may do anything."""

    def __init__(self, database: MemoryDatabase) -> None:
        self.database = database
        self.before: Callable[[Edit], None] = lambda _edit: None

    def _there(self) -> MemoryDatabase:
        if self.database.is_away:
            raise StorageError("the storage server in memory cannot be used: away")
        return self.database

    def read(self, key: str) -> Entry | None:
        return self._there().entries.get(key)

    def aliases(self, keys: list[str]) -> dict[str, str]:
        found = {key: self._there().entries.get(key) for key in keys}
        return {key: entry.target for key, entry in found.items() if isinstance(entry, Alias)}

    def names(self, key: str) -> list[str]:
        start = f"{key}/"
        return [
            each[len(start) :]
            for each in self._there().entries
            if each.startswith(start) and "/" not in each[len(start) :]
        ]

    def write(self, edit: Edit, lease: Lease | None) -> None:
        self.before(edit)
        database = self._there()
        if lease is not None and database.leases.get(lease.name, (None, 0.0))[0] != lease:
            raise Refused("lost")
        self._make(edit)
        database.number += 1
        database.areas[area_of(edit.key)] = database.number

    def _make(self, edit: Edit) -> None:
        entries = self.database.entries
        match edit:
            case Put(key, data):
                self._put(key, Value(data))
            case Create(key, values):
                if key in entries:
                    raise Refused("exists")
                self._put(key, None)
                for name, data in values.items():
                    self._put(f"{key}/{name}", Value(data))
            case Point(key, target, directory):
                if directory not in entries or entries[directory] is not None:
                    raise Refused("missing")
                self._put(key, Alias(target))
            case Remove(key):
                for each in [each for each in entries if each == key or each.startswith(f"{key}/")]:
                    del entries[each]

    def _put(self, key: str, entry: Entry | None) -> None:
        self.database.entries[key] = entry
        while key := key.rpartition("/")[0]:
            self.database.entries.setdefault(key, None)

    def claim(self, name: str, owner: str, seconds: float) -> Lease | None:
        database = self._there()
        if name in database.leases and database.leases[name][1] > database.now:
            return None
        database.number += 1
        lease = Lease(name, database.number, owner)
        database.leases[name] = (lease, database.now + seconds)
        return lease

    def extend(self, lease: Lease, seconds: float) -> bool:
        database = self._there()
        if database.leases.get(lease.name, (None, 0.0))[0] != lease:
            return False
        database.leases[lease.name] = (lease, database.now + seconds)
        return True

    def release(self, lease: Lease) -> None:
        if self._there().leases.get(lease.name, (None, 0.0))[0] == lease:
            del self.database.leases[lease.name]

    def held(self, prefix: str) -> list[str]:
        there = self._there().leases.items()
        return [name for name, (_lease, ends) in there if name.startswith(prefix) and ends > self.database.now]

    def changes(self, since: int | None) -> tuple[int, set[str]]:
        areas = self._there().areas.items()
        return self.database.number, {area for area, number in areas if number > (-1 if since is None else since)}

    def close(self) -> None:
        pass
