"""Listening sockets that a service manager opened: a small launcher does what systemd does."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from tests.blackbox.asking import ask, ask_plain, wait_until
from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.installed_edge import Installation, InstalledEdge
from tests.blackbox.load import KeepAliveLoad

LAUNCHER = """
import os, socket, sys
ports, names, *command = sys.argv[1:]
for port in ports.split(","):
    os.set_inheritable(socket.create_server(("127.0.0.1", int(port))).detach(), True)
count = str(len(ports.split(",")))
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": count, "LISTEN_FDNAMES": names}
os.execvp(command[0], command)
"""


def activate(edge: EdgeProcess, ports: tuple[int, ...], names: str = "") -> None:
    edge.launcher = [sys.executable, "-c", LAUNCHER, ",".join(map(str, ports)), names]


def listeners_of(edge: EdgeProcess) -> set[str]:
    """Local addresses of listening TCP sockets, by inode of what the supervisor has open."""
    inodes = set()
    for name in os.listdir(f"/proc/{edge.process.pid}/fd"):
        target = ""
        with suppress(FileNotFoundError):  # closed since it was listed
            target = os.readlink(f"/proc/{edge.process.pid}/fd/{name}")
        inodes.add(target.removeprefix("socket:[").removesuffix("]"))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[1] for row in rows if row[3] == "0A" and row[9] in inodes}


def test_sockets_of_a_service_manager_are_served(tmp_path: Path) -> None:
    """Both ports, and none besides: edge needs no right to bind. A reload keeps them."""
    (tmp_path / "file.txt").write_text("file\n")
    edge = EdgeProcess(tmp_path, "--static", f"/={tmp_path}")
    activate(edge, (edge.http_port, edge.https_port))
    with edge, KeepAliveLoad(edge.https_port, "localhost", target="/file.txt") as load:
        assert ask_plain(edge.http_port).status == 308
        assert len(listeners_of(edge)) == 2
        edge.process.send_signal(signal.SIGHUP)
        edge.wait_for('"serving","generation":2')
        load.wait_answered(20)
        assert load.failures == []


def test_a_name_says_what_a_socket_is_for(tmp_path: Path) -> None:
    """Ports of the socket unit need not be those of the configuration."""
    edge = EdgeProcess(tmp_path, "--access-log", "off")
    opened = edge.http_port, edge.https_port
    activate(edge, opened, "https:http")
    edge.start()
    edge.wait_for('"serving"')
    assert ask(opened[0]).status == 404
    assert ask_plain(opened[1]).status == 308
    assert edge.stop() == 0


def test_a_socket_that_nobody_needs_is_said(tmp_path: Path) -> None:
    """One sentence, what to write into the unit, and exit status 1."""
    edge = EdgeProcess(tmp_path)
    place = edge.http_port, edge.https_port
    activate(edge, place)
    edge.http_port, edge.https_port = 1080, 1443
    edge.start()
    assert edge.process.wait(20) == 1
    edge.stop()
    assert f"no use for: 127.0.0.1:{place[0]}, 127.0.0.1:{place[1]}" in edge.output
    assert "FileDescriptorName=https" in edge.output
    assert "Traceback" not in edge.output


def test_an_upgrade_keeps_the_service_managers_sockets(tmp_path: Path) -> None:
    """The new edge knows that they are not its own, and what they are for."""
    installation = Installation(tmp_path, "1.0.0")
    (tmp_path / "file.txt").write_text("file\n")
    edge = InstalledEdge(tmp_path, installation, "--static", f"/={tmp_path}")
    activate(edge, (edge.https_port, edge.http_port), "https:http")
    with edge:
        edge.wait_version("1.0.0")
        with KeepAliveLoad(edge.https_port, "localhost", target="/file.txt") as load:
            installation.install("1.1.0")
            done = edge.upgrade()
            assert done.returncode == 0, done.stderr
            load.wait_answered(20)
        assert load.failures == []
        new = edge.supervisor
        assert new is not None
        os.kill(new.pid, signal.SIGHUP)
        wait_until(lambda: edge.output.count('"serving","generation":2') == 1)
        assert ask(edge.https_port, target="/file.txt").body == b"file\n"
