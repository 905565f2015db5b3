"""One suite for the storage contract; every implementation is a parameter here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import StorageError
from edge.storage.contract import Storage
from edge.storage.filesystem import FileSystemStorage
from edge.storage.keys import check_key

IMPLEMENTATIONS: dict[str, Callable[[Path], Storage]] = {
    "filesystem": lambda directory: FileSystemStorage(directory / "storage"),
}

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


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return IMPLEMENTATIONS[request.param](tmp_path)


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


def test_a_lock_excludes(storage: Storage) -> None:
    """Only one holder at a time; other names are free; leaving frees it."""
    with storage.lock("certs/a") as first:
        with storage.lock("certs/a") as second, storage.lock("certs/b") as other:
            assert (first, second, other) == (True, False, True)
        with storage.lock("certs/a") as third:
            assert third is False
    with storage.lock("certs/a") as again:
        assert again is True
