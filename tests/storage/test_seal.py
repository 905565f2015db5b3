"""Values that the server cannot read."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import StorageError
from edge.storage.leases import Leases
from edge.storage.seal import KeySeal, Seal
from edge.storage.server_storage import ServerStorage
from tests.storage.memory_server import MemoryDatabase, MemoryServer
from tests.storage.opened import opened
from tests.storage.servers import DatabaseServer

KEY, OTHER = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
SECRET = b"-----BEGIN PRIVATE KEY-----"


def storage_on(database: MemoryDatabase, seal: Seal | None) -> ServerStorage:
    server = MemoryServer(database)
    return ServerStorage(server, Leases(server, server, "node"), seal)


@given(st.text(), st.binary())
def test_what_is_closed_is_opened_with_the_same_key(key: str, value: bytes) -> None:
    """Any value at any place comes back, and never looks the same twice."""
    seal = KeySeal(KEY)
    data = seal.close(key, value)
    assert KeySeal(KEY).open(key, data) == value
    assert seal.close(key, value) != data


@given(st.integers(0, 200), st.integers(1, 255))
def test_a_changed_value_is_not_opened(position: int, change: int) -> None:
    """Whichever byte somebody has touched."""
    data = bytearray(KeySeal(KEY).close("certs/a/key.pem", SECRET))
    data[position % len(data)] ^= change
    with pytest.raises(StorageError, match="tampered"):
        KeySeal(KEY).open("certs/a/key.pem", bytes(data))


@pytest.mark.parametrize("data", [b"", b"\x01", SECRET, b"\x01" + bytes(12)])
def test_what_was_never_closed_is_not_opened(data: bytes) -> None:
    """Values of a stranger are not taken for ours."""
    with pytest.raises(StorageError):
        KeySeal(KEY).open("a", data)


def test_a_value_belongs_to_its_place() -> None:
    """Moving one key to another name is tampering."""
    data = KeySeal(KEY).close("certs/a/key.pem", SECRET)
    with pytest.raises(StorageError):
        KeySeal(KEY).open("certs/b/key.pem", data)


@pytest.mark.parametrize("secret", ["", "short", "!" * 44, base64.b64encode(bytes(31)).decode()])
def test_a_key_of_the_wrong_size_is_refused_without_showing_it(secret: str) -> None:
    """It may be another secret that got into the wrong file."""
    with pytest.raises(StorageError, match="openssl rand -base64 32") as caught:
        KeySeal(secret)
    assert not secret or secret not in str(caught.value)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (KeySeal(KEY), KeySeal(OTHER), "cannot be opened with this storage key"),
        (KeySeal(KEY), None, "same key_file or key_env"),
        (None, KeySeal(KEY), "begun without a storage key"),
    ],
)
def test_nodes_with_different_keys_do_not_write_past_each_other(
    first: Seal | None, second: Seal | None, words: str
) -> None:
    """The second is told at its first change, and nothing of the first's is taken for damaged."""
    database = MemoryDatabase()
    storage_on(database, first).store("certs/a/key.pem", SECRET)
    stranger = storage_on(database, second)
    with pytest.raises(StorageError, match=words):
        stranger.store("certs/a/key.pem", b"mine")
    with pytest.raises(StorageError, match=words), stranger.lock("certs/a"):
        pass
    assert storage_on(database, first).load("certs/a/key.pem") == SECRET


@pytest.mark.parametrize("kind", ["redis", "postgresql"])
def test_the_server_never_sees_what_is_sealed(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    """Not in its files, not in a dump; without a storage key it does."""
    server: DatabaseServer = request.getfixturevalue(kind)
    (tmp_path / "key").write_text(KEY + "\n")
    for sealed in (False, True):
        server.wipe()
        marker = SECRET + str(sealed).encode()
        with opened(server, f"?key_file={tmp_path}/key" if sealed else "") as storage:
            storage.store("certs/a/key.pem", marker)
            storage.store_directory("certs/a/gen/1", {"key.pem": marker})
            assert storage.load("certs/a/gen/1/key.pem") == marker
        assert (marker in server.dump()) is not sealed
