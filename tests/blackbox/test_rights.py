"""Started as root: what the workers, which read what strangers send, may still do; and started without rights."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blackbox.acme_site import acme_edge, wait_issued
from tests.blackbox.asking import ask, ask_plain, status_field, wait_until
from tests.blackbox.edge_process import REPOSITORY, EdgeProcess
from tests.blackbox.load import Http2Load
from tests.blackbox.recording_origin import RecordingOrigin
from tests.pebble import Pebble

USER = "nobody"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def root_path(tmp_path: Path) -> Iterator[Path]:
    """A directory of root's that others may pass, with a static file in it."""
    path = Path("/tmp", f"edge-rights-{os.getpid()}")
    path.mkdir(0o755)
    (path / "static").mkdir(0o755)
    (path / "static" / "hello.txt").write_text("hello\n")
    try:
        yield path
    finally:
        shutil.rmtree(path)


@needs_root
def test_workers_are_somebody_else(root_path: Path) -> None:
    """With --user the workers have that user's ids and groups for good; the keeper keeps the storage to itself."""
    account = pwd.getpwnam(USER)
    with (
        Pebble() as pebble,
        RecordingOrigin() as origin,
        acme_edge(
            root_path,
            pebble,
            *("--domain", "a.test", "--user", USER),
            *("--upstream", f"127.0.0.1:{origin.port}", "--static", f"/static={root_path}/static"),
        ) as edge,
    ):
        wait_issued(edge)
        root = pebble.root()
        assert ask(edge.https_port, "a.test", "/static/hello.txt", root).body == b"hello\n"
        assert ask(edge.https_port, "a.test", "/", root).body == b"ok\n"
        for worker in edge.workers():
            assert status_field(worker, "Uid") == [str(account.pw_uid)] * 4
            assert status_field(worker, "Gid") == [str(account.pw_gid)] * 4
            groups = os.getgrouplist(USER, account.pw_gid)
            assert sorted(map(int, status_field(worker, "Groups"))) == sorted(groups)
            assert status_field(worker, "CapEff") == ["0000000000000000"]
            assert status_field(worker, "NoNewPrivs") == ["1"]
        assert stat.S_IMODE(edge.storage.stat().st_mode) == 0o700
        assert edge.storage.stat().st_uid == 0
        assert "workers run as root" not in edge.output
        os.kill(edge.workers()[0], signal.SIGKILL)  # one that is born later has no more rights
        wait_until(lambda: all(status_field(worker, "Uid")[0] == str(account.pw_uid) for worker in edge.workers()))


IMPORT_WATCH = """
import os, sys

def watch(event, arguments):
    if event == "import" and os.geteuid() != 0:
        os.write(2, f"imported too late: {arguments[0]}\\n".encode())

sys.addaudithook(watch)
"""


@needs_root
@pytest.mark.parametrize("engine", ["h2", "ngh2"])
def test_workers_load_nothing_after_they_have_become_somebody_else(root_path: Path, engine: str) -> None:
    """An installation that only root can read serves all the same: over both HTTP versions, and from an origin by name."""
    (root_path / "sitecustomize.py").write_text(IMPORT_WATCH)
    python_path = f"{root_path}:{REPOSITORY}"
    with RecordingOrigin() as origin:
        flags = ["--user", USER, "--http2-engine", engine, "--static", f"/static={root_path}/static"]
        flags += ["--upstream", f"http://localhost:{origin.port}"]
        with EdgeProcess(root_path, *flags, env={"PYTHONPATH": python_path}) as edge:
            assert ask(edge.https_port).body == b"ok\n"
            assert ask(edge.https_port, target="/static/hello.txt").body == b"hello\n"
            assert ask(edge.https_port, target="/static/missing").status == 404
            assert ask_plain(edge.http_port).status == 308
            with Http2Load(edge.https_port, "localhost", clients=1) as load:
                load.wait_answered(10)
            assert load.failures == []
    assert "imported too late" not in edge.output


@needs_root
def test_workers_without_rights_can_write_their_log(root_path: Path) -> None:
    """A log file in a directory of root's is made for them: at the start, after a rotation and at a reload."""
    flags = ("--user", USER, "--static", f"/={root_path}/static")
    with EdgeProcess(root_path, *flags) as edge:
        rotated = root_path / "access.1"
        for number in (signal.SIGUSR1, signal.SIGHUP):
            assert ask(edge.https_port, target="/hello.txt").status == 200
            wait_until(lambda: b"/hello.txt" in edge.access_log.read_bytes(), what="a line")
            assert edge.access_log.stat().st_uid == pwd.getpwnam(USER).pw_uid
            edge.access_log.replace(rotated)
            edge.process.send_signal(number)
            wait_until(edge.access_log.exists, what="a new file")
        edge.wait_for('"serving","generation":2,')
        assert "access log lines dropped" not in edge.output
        assert ask(edge.https_port, target="/hello.txt").status == 200


@needs_root
def test_a_log_that_workers_cannot_write_is_said_at_the_start(root_path: Path) -> None:
    """One sentence and exit status 1; edge does not keep the ports without anybody to serve."""
    log = root_path / "access.log"
    log.touch(0o600)
    edge = EdgeProcess(root_path, "--user", USER).start()
    assert edge.process.wait(20) == 1
    edge.stop()
    assert f"the access log {log} cannot be written by {USER}" in edge.output
    assert "Traceback" not in edge.output
    assert log.stat().st_uid == 0
