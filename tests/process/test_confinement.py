"""What a confined worker keeps: which files a configuration grants, and that the kernel holds it to that."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from edge.config.address import parse_upstream
from edge.config.schema import Config, Log, Site, StaticMount
from edge.process.confinement import RESOLVER, grants, is_confined, way_to
from edge.process.landlock import APPEND, READ, SPOOL, Access, landlock_version

ATTEMPT = """
import os, sys
from pathlib import Path
import msgspec
from edge.config.schema import Config
from edge.process.confinement import confine_worker
from edge.process.prctl import forbid_new_privileges

config = msgspec.json.decode(sys.argv[1], type=Config)
forbid_new_privileges()
confine_worker(config, sys.argv[2])
for attempt in sys.stdin.read().splitlines():
    try:
        eval(attempt)
        print("done")
    except OSError as refusal:
        print(refusal.strerror.partition(" (")[0])
"""


def config_of(*sites: Site, storage: str = "/var/lib/edge", access: str = "-") -> Config:
    return Config(sites or (Site(("a.test",)),), storage, log=Log(access))


def paths(config: Config) -> dict[str, Access]:
    return {grant.path: grant.access for grant in grants(config, "/spool")}


def attempt(config: Config, spool: Path, *attempts: str) -> list[str]:
    """What a process confined for this configuration gets: "done", or the kernel's words."""
    command = [sys.executable, "-c", ATTEMPT, msgspec.json.encode(config).decode(), str(spool)]
    lines = "\n".join(attempts)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.splitlines()


needs_landlock = pytest.mark.skipif(
    not landlock_version(), reason="this kernel has no Landlock; edge check says so too"
)


def test_what_is_served_can_be_read() -> None:
    """Every mount of every site, and the trust roots of an origin; the storage is not there."""
    site = Site(
        ("a.test",),
        static=(StaticMount("/s", "/srv/static"), StaticMount("/m", "/srv/media", uploads=True)),
        internal=(StaticMount("/i", "/srv/internal"),),
        upstream_ca="/etc/ca.pem",
    )
    granted = paths(config_of(site))
    for path in ("/srv/static", "/srv/media", "/srv/internal", "/etc/ca.pem", sys.prefix):
        assert granted[path] == READ
    assert granted["/spool"] == SPOOL
    assert not any(Path("/var/lib/edge").is_relative_to(path) for path in granted)
    assert not any(access & Access.EXECUTE for access in granted.values())


def test_a_log_file_can_be_made_anew_where_it_is() -> None:
    """Written and created, not read; standard output needs no grant."""
    assert paths(config_of(access="/var/log/edge/access.log"))["/var/log/edge"] == APPEND
    assert "/var/log/edge" not in paths(config_of())


def test_only_host_names_need_the_resolver() -> None:
    """Its files lie beside configuration of others, so they are granted only where an origin has a name."""
    named = Site(("a.test",), upstreams=(parse_upstream("app.internal:8000"),))
    numeric = Site(("a.test",), upstreams=(parse_upstream("127.0.0.1:8000"), parse_upstream("unix:/run/app.sock")))
    assert set(RESOLVER) <= set(paths(config_of(named)))
    assert not set(RESOLVER) & set(paths(config_of(numeric)))


def test_a_link_on_the_way_brings_its_directory(tmp_path: Path) -> None:
    """`current -> releases/1` becomes `releases/2` without anybody telling edge."""
    (tmp_path / "releases" / "1" / "static").mkdir(parents=True)
    (tmp_path / "current").symlink_to("releases/1")
    assert list(way_to(f"{tmp_path}/current/static")) == [f"{tmp_path}/current/static", str(tmp_path)]


def test_off_is_off() -> None:
    """One flag."""
    assert not is_confined(msgspec.structs.replace(config_of(), confinement="off"))
    assert is_confined(config_of()) == bool(landlock_version())


@needs_landlock
def test_the_kernel_refuses_everything_else(tmp_path: Path) -> None:
    """Storage, configuration, other people's files, other programs and other ports are out of reach; what is served is not."""
    for name in ("static", "storage", "spool", "log"):
        (tmp_path / name).mkdir()
    (tmp_path / "static" / "file").write_text("file")
    (tmp_path / "storage" / "key.pem").write_text("secret")
    site = Site(("a.test",), static=(StaticMount("", f"{tmp_path}/static"),))
    config = config_of(site, storage=f"{tmp_path}/storage", access=f"{tmp_path}/log/access.log")
    expected = {
        f"Path('{tmp_path}/static/file').read_text()": "done",
        f"os.listdir('{tmp_path}/static')": "done",
        f"Path('{tmp_path}/static/file').write_text('x')": "Permission denied",
        f"Path('{tmp_path}/storage/key.pem').read_text()": "Permission denied",
        f"os.listdir('{tmp_path}/storage')": "Permission denied",
        f"Path('{tmp_path}/storage/new').write_text('x')": "Permission denied",
        f"os.link('{tmp_path}/storage/key.pem', '{tmp_path}/spool/key.pem')": "Invalid cross-device link",
        "Path('/etc/passwd').read_text()": "Permission denied",
        f"Path('/proc/{os.getpid()}/environ').read_text()": "Permission denied",
        f"Path('{tmp_path}/log/access.log').open('a')": "done",
        f"__import__('tempfile').TemporaryFile(dir='{tmp_path}/spool').write(b'x')": "done",
        "__import__('json.tool')": "done",
        "os.execv('/bin/true', ['true'])": "Permission denied",
    }
    assert attempt(config, tmp_path / "spool", *expected) == list(expected.values())


@needs_landlock
@pytest.mark.skipif(landlock_version() < 4, reason="ports came later")
def test_the_kernel_refuses_new_ports(tmp_path: Path) -> None:
    """A worker that was taken over opens no port of its own; connecting is its work."""
    connect = "__import__('socket').create_connection(('127.0.0.1', 1))"
    listen = "__import__('socket').create_server(('127.0.0.1', 0))"
    assert attempt(config_of(), tmp_path, connect, listen) == ["Connection refused", "Permission denied"]
