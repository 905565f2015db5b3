"""One suite for the storage contract; every implementation is a parameter here.

`handles` are two storages on the same data, as two nodes have them; `storage` is the first.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import StorageError
from edge.storage.contract import Storage
from edge.storage.filesystem import FileSystemStorage
from edge.storage.keys import check_key
from edge.storage.leases import Leases
from edge.storage.opening import node_name
from edge.storage.seal import KeySeal, Seal
from edge.storage.server_storage import ServerStorage
from tests.storage.memory_server import MemoryDatabase, MemoryServer
from tests.storage.opened import opened
from tests.storage.servers import DatabaseServer

KEY = base64.b64encode(bytes(range(32))).decode()


class Place:
    """Something that storages can be opened on."""

    def __init__(self, open_one: Callable[[], Storage]) -> None:
        self.open = open_one


def on_memory(seal: Callable[[], Seal | None]) -> Place:
    """Nodes on a server in memory."""
    database = MemoryDatabase()

    def open_one() -> Storage:
        server = MemoryServer(database)
        return ServerStorage(server, Leases(server, server, node_name()), seal())

    return Place(open_one)


@pytest.fixture(params=["filesystem", "memory", "sealed", "redis", "postgresql"])
def handles(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Storage, Storage]]:
    """Two nodes' views of one storage, which is empty."""
    kind: str = request.param
    with ExitStack() as stack:
        if kind == "filesystem":
            yield FileSystemStorage(tmp_path / "storage"), FileSystemStorage(tmp_path / "storage")
        elif kind in ("memory", "sealed"):
            place = on_memory(lambda: KeySeal(KEY) if kind == "sealed" else None)
            yield place.open(), place.open()
        else:
            server: DatabaseServer = request.getfixturevalue(kind)
            server.wipe()
            yield stack.enter_context(opened(server)), stack.enter_context(opened(server))


BAD_KEYS = [
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "a/../b",
    "a/.",
    "~tmp",
    "a b",
    "a\\b",
    "ä",
    "a\n",
    "a" * 129,
    "C:x",
    "a\0",
]


@pytest.fixture
def storage(handles: tuple[Storage, Storage]) -> Storage:
    return handles[0]


def test_a_stored_value_is_loaded(storage: Storage) -> None:
    """What was stored last is what is loaded."""
    storage.store("accounts/ca/key.pem", b"one")
    storage.store("accounts/ca/key.pem", b"two")
    assert storage.load("accounts/ca/key.pem") == b"two"


def test_an_empty_storage_answers(storage: Storage) -> None:
    """Reading what is not there is no error: None, [], and nothing to delete."""
    assert storage.load("accounts/ca/key.pem") is None
    assert storage.list("certs") == []
    assert storage.resolve("certs/a/current") is None
    storage.delete("certs/a/b")
    storage.quarantine("certs/a/b", "not there")
    assert storage.list("quarantine") == []
    assert storage.list("certs") == []


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_key_outside_the_syntax_is_refused(storage: Storage, key: str) -> None:
    """No method takes a key that could leave the storage or clash with a temporary name."""
    for use in (storage.load, storage.delete, storage.list, storage.resolve):
        with pytest.raises(StorageError):
            use(key)
    with pytest.raises(StorageError):
        storage.store(key, b"")
    with pytest.raises(StorageError):
        storage.store_directory(key, {})
    with pytest.raises(StorageError):
        storage.store_directory("certs/a", {key or "/": b""})
    with pytest.raises(StorageError):
        storage.point("certs/a", key)
    with pytest.raises(StorageError), storage.lock(key):
        pass


@given(st.text())
def test_a_key_that_passes_stays_below_the_root(key: str) -> None:
    """Whatever the text: it is refused, or it names something below the root."""
    try:
        check_key(key)
    except StorageError:
        return
    assert Path("/root/of", key).resolve().is_relative_to("/root/of")
    assert Path(key) != Path()


def test_a_directory_appears_whole_and_once(storage: Storage) -> None:
    """`store_directory` puts all files at once and refuses to touch a directory that exists, even an empty one."""
    storage.store_directory("certs/a/gen/1", {"key.pem": b"k", "chain.pem": b"c"})
    assert storage.list("certs/a/gen/1") == ["chain.pem", "key.pem"]
    with pytest.raises(StorageError):
        storage.store_directory("certs/a/gen/1", {"key.pem": b"x"})
    storage.store_directory("certs/a/gen/2", {})
    with pytest.raises(StorageError):
        storage.store_directory("certs/a/gen/2", {"key.pem": b"x"})
    assert storage.load("certs/a/gen/1/key.pem") == b"k"


def test_an_alias_is_swapped(storage: Storage) -> None:
    """Reading through an alias gives the directory that `point` named last."""
    for generation in ("1", "2"):
        storage.store_directory(f"certs/a/gen/{generation}", {"chain.pem": generation.encode()})
        storage.point("certs/a/current", f"gen/{generation}")
        assert storage.resolve("certs/a/current") == f"gen/{generation}"
        assert storage.load("certs/a/current/chain.pem") == generation.encode()
    assert storage.list("certs/a") == ["current", "gen"]


def test_an_alias_needs_its_directory(storage: Storage) -> None:
    """Pointing at nothing is refused and leaves the alias as it was."""
    storage.store_directory("certs/a/gen/1", {})
    storage.point("certs/a/current", "gen/1")
    with pytest.raises(StorageError):
        storage.point("certs/a/current", "gen/2")
    assert storage.resolve("certs/a/current") == "gen/1"


def test_deleting_an_alias_keeps_its_directory(storage: Storage) -> None:
    """`delete` removes the alias itself; a directory goes with all below it."""
    storage.store_directory("certs/a/gen/1", {"chain.pem": b"c"})
    storage.point("certs/a/current", "gen/1")
    storage.delete("certs/a/current")
    assert storage.resolve("certs/a/current") is None
    assert storage.load("certs/a/gen/1/chain.pem") == b"c"
    storage.delete("certs/a")
    assert storage.list("certs") == []


def test_quarantine_keeps_the_damage(storage: Storage) -> None:
    """A quarantined value leaves its key and is kept with the reason."""
    storage.store("certs/a/state.json", b"{broken")
    storage.quarantine("certs/a/state.json", "not JSON")
    assert storage.load("certs/a/state.json") is None
    kept, reason = storage.list("quarantine")
    assert storage.load(f"quarantine/{kept}") == b"{broken"
    assert storage.load(f"quarantine/{reason}") == b"not JSON"


def test_a_lock_excludes(handles: tuple[Storage, Storage]) -> None:
    """Only one holder at a time, here and elsewhere; other names are free; leaving frees it."""
    here, elsewhere = handles
    for other in handles:
        with here.lock("certs/a") as first:
            assert first is not None
            with other.lock("certs/a") as second, other.lock("certs/b") as another:
                assert second is None
                assert another is not None
            with elsewhere.lock("certs/a") as third:
                assert third is None
        with other.lock("certs/a") as again:
            assert again is not None


def test_whoever_holds_a_lock_writes_through_it(handles: tuple[Storage, Storage]) -> None:
    """The storage that a lock yields is the same storage, for every kind of write."""
    here, elsewhere = handles
    with here.lock("certs/a") as held:
        assert held is not None
        held.store("certs/a/state.json", b"{}")
        held.store_directory("certs/a/gen/1", {"chain.pem": b"c"})
        held.point("certs/a/current", "gen/1")
        held.store("certs/a/bad", b"?")
        held.quarantine("certs/a/bad", "bad")
        held.delete("certs/a/state.json")
    assert elsewhere.list("certs/a") == ["current", "gen"]
    assert elsewhere.load("certs/a/current/chain.pem") == b"c"


def test_everybody_hears_of_changes(handles: tuple[Storage, Storage]) -> None:
    """A change is reported once to each node by its area; without a mark everything counts as changed."""
    here, elsewhere = handles
    here.store("limits/ca.json", b"1")
    here.store("certs/a/state.json", b"1")
    here.store("certs/b/state.json", b"1")
    first = elsewhere.changes(None)
    assert {"certs/a", "certs/b", "limits"} <= first.areas
    assert elsewhere.changes(first.mark).areas == frozenset()
    here.store_directory("certs/b/gen/1", {})
    here.point("certs/b/current", "gen/1")
    second = elsewhere.changes(first.mark)
    assert "certs/b" in second.areas
    assert not {"certs/a", "limits"} & second.areas
    here.delete("certs/a")
    assert {"certs", "certs/a"} & elsewhere.changes(second.mark).areas
    assert elsewhere.changes(elsewhere.changes(second.mark).mark).areas == frozenset()


def test_values_are_any_bytes_up_to_a_limit(storage: Storage) -> None:
    """Every byte comes back; more than a mebibyte is refused when it is written or when it is read."""
    value = bytes(range(256)) * 4096
    storage.store("big/value", value)
    assert storage.load("big/value") == value

    def too_much() -> None:
        storage.store("big/value", value + b"!")
        storage.load("big/value")

    with pytest.raises(StorageError):
        too_much()


def test_listing_is_of_one_directory(storage: Storage) -> None:
    """Names that begin alike, or hold what databases take for wildcards, are told apart."""
    for key in ("certs/a_b/x", "certs/a.b/y", "certs/a_/z", "certs/a*b/w", "certs/a-/v", "certs2/q"):
        storage.store(key, b"")
    assert storage.list("certs") == ["a*b", "a-", "a.b", "a_", "a_b"]
    assert storage.list("certs/a_") == ["z"]
    storage.delete("certs/a_")
    assert storage.list("certs") == ["a*b", "a-", "a.b", "a_b"]
    assert storage.list("certs2") == ["q"]
