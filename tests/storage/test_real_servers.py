"""What only a real Redis and a real PostgreSQL show: silence, restarts, wrong passwords, settings that lose data."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edge.config.storage_setting import StorageServer, parse_storage, server_of
from edge.errors import StorageError
from edge.storage import opening
from tests.storage.opened import ENVIRONMENT, opened
from tests.storage.servers import PASSWORD, DatabaseServer, RedisProcess, password_in_environment


@pytest.fixture(params=["redis", "postgresql"])
def server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    found: DatabaseServer = request.getfixturevalue(request.param)
    found.wipe()
    yield found
    found.thaw()


def test_a_restart_loses_nothing_and_is_not_noticed(server: DatabaseServer) -> None:
    """What was stored is there, on a new connection, without an error in between."""
    with opened(server) as storage:
        storage.store("certs/a/state.json", b"{}")
        mark = storage.changes(None).mark
        server.restart()
        assert storage.load("certs/a/state.json") == b"{}"
        storage.store("certs/a/state.json", b"{ }")
        assert storage.changes(mark).areas == {"certs/a"}


def test_a_server_that_is_frozen_is_waited_for_a_few_seconds(
    server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the connection and the question and says nothing: an error, and then no waiting at all."""
    with opened(server) as storage:
        storage.store("a", b"1")
        storage._server._link._patience = 0.2  # type: ignore[attr-defined]  # the test's patience is shorter
        server.freeze()
        with pytest.raises(StorageError, match="no answer"):
            storage.store("a", b"2")
        with pytest.raises(StorageError, match="next try in"):
            storage.load("a")
        server.thaw()


def test_a_wrong_password_is_said_without_the_password(server: DatabaseServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the server and what it said."""
    monkeypatch.setenv("WRONG", "open sesame")
    where = server_of(parse_storage(f"{server.setting}?password_env=WRONG", "/", {"WRONG": "x", **ENVIRONMENT}))
    assert where is not None
    storage = opening.open_server(where)
    with pytest.raises(
        StorageError, match=r"(redis|postgresql) at 127\.0\.0\.1:\d+ cannot be used: .*password"
    ) as caught:
        storage.load("a")
    assert "sesame" not in str(caught.value)
    storage.close()


def test_a_redis_that_may_evict_is_refused() -> None:
    """A cache that throws certificates away is no storage."""
    with (
        RedisProcess("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru") as cache,
        opened(cache) as storage,
        pytest.raises(StorageError, match=r"allkeys-lru.*noeviction"),
    ):
        storage.load("a")


def test_a_redis_user_needs_no_more_than_our_keys(request: pytest.FixtureRequest) -> None:
    """An ACL may keep everything else from it, also the questions about the server."""
    server: RedisProcess = request.getfixturevalue("redis")
    server.wipe()
    rules = "on >pw ~{edge}:* resetchannels -@all +@read +@write +@scripting +time +@connection"
    server.command("ACL", "SETUSER", "edge", *rules.split())
    setting = parse_storage(
        server.setting.replace("//", "//edge@") + "?password_env=PW", "/", {"PW": "pw", **ENVIRONMENT}
    )
    found = server_of(setting)
    assert found is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PW", "pw")
        storage = opening.open_server(found)
    with storage.lock("a") as held:
        assert held is not None
        held.store("certs/a/state.json", b"{}")
        held.delete("certs/a")
    storage.close()


def test_settings_that_lose_data_are_told(request: pytest.FixtureRequest) -> None:
    """By `edge check`: a Redis without an append-only file; a server with usual settings has nothing to tell."""
    with RedisProcess("--appendonly", "no") as forgetful, password_in_environment():
        assert "append-only" in opening.weaknesses(where(forgetful))[0]
    with password_in_environment():
        for kind in ("redis", "postgresql"):
            assert opening.weaknesses(where(request.getfixturevalue(kind))) == []


def where(server: DatabaseServer) -> StorageServer:
    found = server_of(parse_storage(server.setting, "/", ENVIRONMENT))
    assert found is not None
    return found


def test_a_password_is_looked_up_when_the_storage_is_opened() -> None:
    """`repr` of what holds it shows the server alone."""
    setting = parse_storage("redis://127.0.0.1:1/0", "/", ENVIRONMENT)
    assert PASSWORD not in setting
    found = server_of(setting)
    assert found is not None
    with password_in_environment():
        storage = opening.open_server(found)
    assert PASSWORD not in repr(storage) + repr(found)
