"""What a server must do for leases and fenced writes: one suite for the server in memory, Redis and PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from edge.errors import LeaseLost, StorageError
from edge.storage import leases as timing
from edge.storage.leases import Leases
from edge.storage.server import Create, Edit, Lease, Point, Put, Refused, Remove, Server, Value
from edge.storage.server_storage import ServerStorage
from tests.storage.memory_server import MemoryDatabase, MemoryServer
from tests.storage.opened import connected
from tests.storage.servers import DatabaseServer

EDITS: list[Edit] = [
    Put("certs/a/state.json", b"old"),
    Create("certs/a/gen/2", {"chain.pem": b"old"}),
    Point("certs/a/current", "gen/0", "certs/a/gen/0"),
    Remove("certs/a/gen/1"),
]


@pytest.fixture(params=["memory", "redis", "postgresql"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server with one certificate of two generations."""
    if request.param == "memory":
        found: Server = MemoryServer(MemoryDatabase())
    else:
        database: DatabaseServer = request.getfixturevalue(request.param)
        database.wipe()
        found = connected(database)
    found.write(Create("certs/a/gen/0", {"chain.pem": b"0"}), None)
    found.write(Create("certs/a/gen/1", {"chain.pem": b"1"}), None)
    found.write(Point("certs/a/current", "gen/1", "certs/a/gen/1"), None)
    found.write(Put("certs/a/state.json", b"new"), None)
    yield found
    found.close()


def claim(server: Server, owner: str, seconds: float = 60.0) -> Lease:
    lease = server.claim("a", owner, seconds)
    assert lease is not None
    return lease


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: type(edit).__name__)
def test_whoever_has_lost_the_lease_changes_nothing(server: Server, edit: Edit) -> None:
    """A node that slept while another was let in is refused, for every kind of write."""
    sleeper = claim(server, "one", 0.0)
    claim(server, "two")
    revision, _ = server.changes(None)
    with pytest.raises(Refused, match="lost"):
        server.write(edit, sleeper)
    assert server.changes(revision) == (revision, set())
    assert server.read("certs/a/state.json") == Value(b"new")
    assert sorted(server.names("certs/a/gen")) == ["0", "1"]
    assert server.aliases(["certs/a/current"]) == {"certs/a/current": "gen/1"}


def test_a_lease_that_is_free_again_does_not_come_back(server: Server) -> None:
    """The successor is done and gone: the sleeper's token is still an old one."""
    sleeper = claim(server, "one", 0.0)
    server.release(claim(server, "two"))
    with pytest.raises(Refused, match="lost"):
        server.write(EDITS[0], sleeper)
    assert not server.extend(sleeper, 60.0)
    server.release(sleeper)
    assert server.claim("a", "three", 60.0)


def test_nobody_was_let_in_so_nothing_is_lost(server: Server) -> None:
    """A lease that ran out without a successor goes on: a slow disk or network costs no work."""
    slow = claim(server, "one", 0.0)
    server.write(EDITS[0], slow)
    assert server.read("certs/a/state.json") == Value(b"old")
    assert server.extend(slow, 60.0)
    assert server.claim("a", "two", 60.0) is None


def test_tokens_grow(server: Server) -> None:
    """Every lease has a larger number than any before it, whatever its name, also after a release."""
    tokens = []
    for name in ("a", "b", "a", "c", "a"):
        lease = server.claim(name, "one", 60.0)
        assert lease is not None
        tokens.append(lease.token)
        server.release(lease)
    assert tokens == sorted(set(tokens))


def test_releasing_a_lost_lease_does_not_free_the_successors(server: Server) -> None:
    """A node that wakes up and leaves takes nothing away from the one that has taken over."""
    sleeper = claim(server, "one", 0.0)
    claim(server, "two")
    server.release(sleeper)
    assert server.claim("a", "three", 60.0) is None


def test_held_locks_are_seen_until_they_run_out(server: Server) -> None:
    """Who is live is a question to the server's clock."""
    for name, seconds in (("nodes/one", 60.0), ("nodes/two", 0.0), ("other/three", 60.0)):
        assert server.claim(name, "x", seconds)
    assert server.held("nodes/") == ["nodes/one"]


def test_a_storage_says_that_its_lease_is_lost() -> None:
    """`LeaseLost`, not just any trouble with the storage: there is nothing to repair, somebody else has the work."""
    database = MemoryDatabase()
    here, elsewhere = (ServerStorage(*parts(database)) for _ in range(2))
    with here.lock("a") as held:
        assert held is not None
        held.store("certs/a/state.json", b"1")
        database.now += timing.LEASE_SECONDS + 1
        with elsewhere.lock("a") as other:
            assert other is not None
            with pytest.raises(LeaseLost, match="taken over"):
                held.store("certs/a/state.json", b"2")
            with pytest.raises(LeaseLost, match="taken over"):
                held.delete("certs/a")
    assert here.load("certs/a/state.json") == b"1"


def parts(database: MemoryDatabase) -> tuple[MemoryServer, Leases]:
    """A node whose leases are not extended."""
    cut_off = MemoryDatabase()
    cut_off.is_away = True
    server = MemoryServer(database)
    return server, Leases(server, MemoryServer(cut_off), "node")


class Beats(MemoryServer):
    """Tells when a lease has been extended."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.extended = threading.Event()
        self.closed = threading.Event()

    def extend(self, lease: Lease, seconds: float) -> bool:
        answer = super().extend(lease, seconds)
        self.extended.set()
        return answer

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "BEAT_SECONDS", 0.01)


@pytest.mark.usefixtures("quick")
def test_a_lease_is_extended_as_long_as_it_is_held() -> None:
    """Beside whatever the holder does; the connection for it is closed when there is nothing left to extend."""
    database = MemoryDatabase()
    beats = Beats(database)
    held = Leases(MemoryServer(database), beats, "one")
    lease = held.claim("a")
    assert lease is not None
    database.now += timing.LEASE_SECONDS - 1
    beats.extended.clear()
    assert beats.extended.wait(5)
    assert database.leases["a"][1] == database.now + timing.LEASE_SECONDS
    held.release(lease)
    assert beats.closed.wait(5)
    assert not database.leases


@pytest.mark.usefixtures("quick")
def test_a_lost_lease_is_noticed_without_a_write() -> None:
    """The beat that is refused tells; from then on not even the server is asked."""
    database = MemoryDatabase()
    beats = Beats(database)
    held = Leases(MemoryServer(database), beats, "one")
    lease = held.claim("a")
    assert lease is not None
    database.leases["a"] = (Lease("a", 99, "two"), database.now + 60)
    for _ in range(2):  # the answer to the first has then been noted
        beats.extended.clear()
        if held.is_lost(lease):
            break
        assert beats.extended.wait(5) or held.is_lost(lease)
    assert beats.closed.wait(5)
    assert held.is_lost(lease)
    held.release(lease)
    assert database.leases["a"][0].owner == "two"


def test_a_server_that_is_away_frees_the_lease_by_itself() -> None:
    """Leaving the lock raises nothing: the lease runs out."""
    database = MemoryDatabase()
    storage = ServerStorage(*parts(database))
    with storage.lock("a") as held:
        assert held is not None
        database.is_away = True
        with pytest.raises(StorageError):
            held.store("a", b"")
    database.is_away = False
    with storage.lock("a") as again:
        assert again is None
    database.now += timing.LEASE_SECONDS
    with storage.lock("a") as at_last:
        assert at_last is not None
