"""`--storage`: a directory, or a server; secrets by their place, never by their value."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.flags import Flags
from edge.config.load import load
from edge.config.secret import Secret
from edge.config.storage_setting import is_server, local_directory, parse_storage, server_of
from edge.errors import ConfigError

ENVIRON = {"HOME": "/home/a", "PW": "secret"}


def parse(text: str, **more: str) -> str:
    return parse_storage(text, "/srv", {**ENVIRON, **more})


def test_a_directory_is_as_before() -> None:
    """Relative to where it was written, and its own local directory."""
    assert parse("state") == "/srv/state"
    assert server_of("/srv/state") is None
    assert local_directory("/srv/state") == "/srv/state"


@pytest.mark.parametrize(
    ("text", "kind", "rest"),
    [
        ("redis://r.internal", "redis at r.internal:6379", {"database": "0", "tls": "disable"}),
        ("rediss://edge@r.internal:6380/3", "redis at r.internal:6380", {"user": "edge", "database": "3", "tls": "verify-full"}),
        ("redis+unix:/run/redis.sock?db=2", "redis at /run/redis.sock", {"database": "2", "host": ""}),
        ("unix:///run/redis.sock", "redis at /run/redis.sock", {"database": "0", "scheme": "redis+unix"}),
        ("redis://[::1]:7000/0", "redis at [::1]:7000", {"host": "::1"}),
        ("postgres://edge@db.internal/certs", "postgresql at db.internal:5432", {"database": "certs", "tls": "verify-full"}),
        ("postgresql://127.0.0.1", "postgresql at 127.0.0.1:5432", {"database": "edge", "tls": "disable"}),
        ("postgresql://db/edge?sslmode=require", "postgresql at db:5432", {"tls": "require"}),
        ("postgresql:///edge?host=/run/postgresql", "postgresql at /run/postgresql", {"tls": "disable"}),
    ],
)  # fmt: skip
def test_a_server_is_taken_apart(text: str, kind: str, rest: dict[str, str]) -> None:
    """What is written and what is meant; checking a checked setting changes nothing."""
    setting = parse(text)
    server = server_of(setting)
    assert server is not None
    assert str(server) == kind
    assert {name: getattr(server, name) for name in rest} == rest
    assert local_directory(setting).endswith("/edge")
    assert parse(setting) == setting


def test_secrets_are_places(tmp_path: Path) -> None:
    """A file, a variable that the setting names, or one that is always looked at."""
    (tmp_path / "pw").write_text("secret")
    by_name = server_of(parse(f"redis://r?password_file={tmp_path}/pw&key_env=PW&local=/data"))
    assert by_name is not None
    assert (by_name.password, by_name.key) == (Secret(file=f"{tmp_path}/pw"), Secret(variable="PW"))
    assert by_name.local == "/data"
    usual = server_of(parse("redis://r", EDGE_STORAGE_PASSWORD="secret", EDGE_STORAGE_KEY="k"))
    assert usual is not None
    assert (usual.password, usual.key) == (
        Secret(variable="EDGE_STORAGE_PASSWORD"), Secret(variable="EDGE_STORAGE_KEY"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("redis://:hunter2@r", "password would be visible"),
        ("postgresql://edge:hunter2@db/edge", "password_file"),
        ("postgresql://edge:hunter2@db:x/edge", "no URL"),
        ("mysql://db/edge", "no storage"),
        ("redis://r/sixteen", "no Redis database"),
        ("redis://r?passwort_file=/x", "'passwort_file' is unknown"),
        ("redis://r?password_file=/nowhere/pw", "does not exist"),
        ("redis://r?password_env=NONE", "not set"),
        ("redis://r?password_env=PW&password_file=/etc/hostname", "one of them"),
        ("redis://", "is no host"),
        ("redis+unix:/run/r.sock?host=x", "unknown"),
        ("postgresql://db/edge?host=/run", "not both"),
        ("postgresql:///edge?host=run", "begins with /"),
        ("postgresql://db/edge?sslmode=prefer", "disable, require, verify-full"),
        ("postgresql://db/ed'ge", "no database"),
        ("postgresql://db/edge?ca_file=/etc/hostname", "holds no certificate"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, words: str) -> None:
    """In one sentence, which never shows a password."""
    with pytest.raises(ValueError, match=words) as caught:
        parse(text)
    assert "hunter2" not in str(caught.value)


@given(st.sampled_from(["redis:", "rediss:", "unix:", "postgresql:", "x:"]), st.text())
def test_any_text_is_a_setting_or_refused(scheme: str, rest: str) -> None:
    """Nothing third; what was accepted is understood by those who read it, and the same when it is read again."""
    try:
        setting = parse(f"{scheme}//{rest}")
    except ValueError:
        return
    if is_server(setting):
        assert server_of(setting) is not None
        assert parse(setting) == setting


def test_flag_and_file_take_servers(tmp_path: Path) -> None:
    """`--storage` and `[server] storage` alike, and a complaint names the place."""
    config = load(Flags(domain=("a.test",), storage="redis://127.0.0.1"), ENVIRON)
    assert server_of(config.storage)
    file = tmp_path / "edge.toml"
    file.write_text('[server]\nstorage = "postgresql://edge:hunter2@db/edge"\n')
    with pytest.raises(ConfigError) as caught:
        load(Flags(config=str(file)), ENVIRON)
    (complaint,) = caught.value.complaints
    assert complaint.startswith(f"{file}:2: server.storage: ")
    assert "hunter2" not in complaint
