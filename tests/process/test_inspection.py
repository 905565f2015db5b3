"""Looking at the world from outside a running edge."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from edge.config.address import UpstreamAddress, parse_upstream
from edge.config.on_demand_schema import AskURL, OnDemand
from edge.config.schema import Config, KeyPair, Listen, Site
from edge.process.inspection import certificates, find_complaints, find_warnings, first_barrier, upstream_problem


def _config(storage: Path, *upstreams: UpstreamAddress, port: int) -> Config:
    site = Site(names=("localhost",), upstreams=upstreams)
    return Config(sites=(site,), storage=str(storage), listen=Listen(bind=("127.0.0.1",), http_port=0, https_port=port))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_a_world_in_order_gives_no_warning(tmp_path: Path) -> None:
    """The origin listens, the port is free, the storage can be created; and nothing was."""
    with socket.create_server(("127.0.0.1", 0)) as origin:
        upstream = parse_upstream(f"127.0.0.1:{origin.getsockname()[1]}")
        storage = tmp_path / "not" / "there"
        assert find_warnings(_config(storage, upstream, port=_free_port())) == []
    assert not storage.parent.exists()


def test_a_port_in_use_is_a_warning(tmp_path: Path) -> None:
    """With the words that a start would use."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        (warning,) = find_warnings(_config(tmp_path, port=port))
    assert warning.startswith(f"127.0.0.1:{port} is already used by ")


def test_an_origin_that_is_down_is_a_warning_once(tmp_path: Path) -> None:
    """Two sites with the same origin do not say it twice."""
    upstream = parse_upstream(f"127.0.0.1:{_free_port()}")
    config = _config(tmp_path, upstream, upstream, port=_free_port())
    assert find_warnings(config) == [
        f"upstream {upstream} refused the connection: nothing listens there; start the application"
    ]


def test_what_is_wrong_with_a_unix_socket_is_told_apart(tmp_path: Path) -> None:
    """Missing, left over, listening."""
    path = tmp_path / "app.sock"
    address = parse_upstream(f"unix:{path}")
    assert upstream_problem(address).startswith("does not exist")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        assert upstream_problem(address).startswith("exists but nobody listens")
        server.listen()
        assert upstream_problem(address) == ""


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """For root permissions do not count, so it becomes nobody for a moment."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.mark.usefixtures("ordinary_user")
@pytest.mark.parametrize("directory", ["/edge-state", "/root/edge/state"])
def test_a_storage_that_cannot_be_written_is_a_warning(directory: str) -> None:
    """The nearest existing directory decides, and its owner is named, even where we may not look."""
    (warning,) = find_warnings(_config(Path(directory), port=_free_port()))
    assert warning.startswith(f"storage {directory} cannot be written by this user: /")
    assert warning.endswith("belongs to root")


def test_the_first_directory_that_a_user_may_not_pass_is_named(tmp_path: Path) -> None:
    """Owner, group and others each have their own bits, and the last directory must be listable."""
    home, static = tmp_path / "home", tmp_path / "home" / "static"
    static.mkdir(parents=True)
    owner, group, stranger = static.stat().st_uid, static.stat().st_gid, 54321
    for directory in tmp_path.parents:
        assert directory == tmp_path or directory.exists()
    home.chmod(0o750)
    static.chmod(0o755)
    way = [*reversed(static.parents), static]
    passable = all(each.stat().st_mode & 0o001 for each in way[: way.index(home)])
    expected = home if passable else next(each for each in way if not each.stat().st_mode & 0o001)
    assert first_barrier(static, stranger, frozenset()) == expected
    assert first_barrier(static, 0, frozenset()) is None
    if passable:
        assert first_barrier(static, stranger, frozenset({group})) is None
        static.chmod(0o711)
        assert first_barrier(static, stranger, frozenset({group})) == static
    assert owner == os.geteuid()


def test_a_key_pair_that_cannot_be_used_is_a_complaint(tmp_path: Path) -> None:
    """Looking like PEM is not enough."""
    pem = tmp_path / "c.pem"
    pem.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    site = Site(names=("a.test",), key_pair=KeyPair(str(pem), str(pem)))
    (complaint,) = find_complaints(Config(sites=(site,), storage=str(tmp_path)))
    assert str(pem) in complaint


def test_an_empty_storage_has_no_certificates_and_stays_empty(tmp_path: Path) -> None:
    """Looking creates nothing."""
    assert certificates(str(tmp_path / "state")) == []
    assert list(tmp_path.iterdir()) == []


def test_who_is_asked_about_names_should_be_there(tmp_path: Path) -> None:
    """A program that nobody has started refuses all customers."""
    ask = AskURL(UpstreamAddress(path=str(tmp_path / "app.sock")), "service.test", "/ask?domain=")
    config = structs.replace(_config(tmp_path, port=_free_port()), on_demand=OnDemand(ask))
    assert any(
        each.startswith("[on_demand] ask: http://service.test/ask does not exist") for each in find_warnings(config)
    )
