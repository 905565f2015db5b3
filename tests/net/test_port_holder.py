"""Who listens on a port, from the tables of the kernel."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from edge.net.port_holder import PortHolder, find_port_holder, parse_listening_inodes, parse_unit

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:0050 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 20 4 30 10 -1
   2: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4713 1 0000000000000000 100 0 0 10 0
"""

TABLE6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 0 0 0 99 1
"""


def test_only_listening_sockets_of_that_port_count() -> None:
    """An established connection with the same local port holds nothing."""
    assert parse_listening_inodes(TABLE, 80) == {"4711"}
    assert parse_listening_inodes(TABLE, 8080) == {"4713"}
    assert parse_listening_inodes(TABLE, 443) == set()
    assert parse_listening_inodes(TABLE6, 80) == {"99"}


@given(st.text(), st.integers(0, 65535))
def test_any_text_is_a_table(text: str, port: int) -> None:
    """What the kernel of tomorrow prints may name nobody, but never raises."""
    assert isinstance(parse_listening_inodes(text, port), set)


def test_the_unit_is_the_last_service_of_the_path() -> None:
    """A service of the system or of a user's manager is named, a login session is not."""
    assert parse_unit("0::/system.slice/nginx.service\n") == "nginx.service"
    assert parse_unit("0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n") == "web.service"
    assert parse_unit("0::/user.slice/user-1000.slice/session-3.scope\n") == ""
    assert parse_unit("") == ""


def test_a_real_listener_is_found() -> None:
    """This process listens, so it is the holder."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        holder = find_port_holder(sock.getsockname()[1])
    assert holder is not None
    assert holder.pid == os.getpid()
    assert holder.name == Path("/proc/self/comm").read_text().strip()


def _process(proc: Path, pid: int, comm: str, *links: str) -> None:
    (proc / str(pid) / "fd").mkdir(parents=True)
    (proc / str(pid) / "comm").write_text(comm)
    for number, link in enumerate(links):
        (proc / str(pid) / "fd" / str(number)).symlink_to(link)


def test_of_several_the_first_started_is_named(tmp_path: Path) -> None:
    """A server's parent holds the socket together with its workers; the parent is what an operator stops."""
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(TABLE)
    _process(tmp_path, 812, "nginx\x1b[2J\n", "/dev/null", "socket:[4711]")
    _process(tmp_path, 900, "nginx\n", "socket:[4711]")
    _process(tmp_path, 5, "other\n", "socket:[1]")
    (tmp_path / "812" / "cgroup").write_text("0::/system.slice/nginx.service\n")
    assert find_port_holder(80, tmp_path) == PortHolder(812, "nginx[2J", "nginx.service")
    assert find_port_holder(8080, tmp_path) is None
    assert find_port_holder(80, tmp_path / "nowhere") is None
