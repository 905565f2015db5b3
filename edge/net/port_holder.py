"""Which process listens on a TCP port, told from /proc, for the one moment when an operator needs to know.

The tables of the kernel give a socket's inode, the descriptors of all processes give who has it open. Without the right to look
into another user's processes the answer is "somebody else".
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

_LISTEN: Final = "0A"
"""TCP_LISTEN in the `st` column."""

_UNIT = re.compile(r"([A-Za-z0-9:_.@\\-]+\.service)$").search


class PortHolder(Struct, frozen=True):
    """A process with an open listening socket. `unit` is its systemd service, or ""."""

    pid: int
    name: str
    unit: str = ""


def find_port_holder(port: int, proc: Path = Path("/proc")) -> PortHolder | None:
    """The process that listens on `port` at any address: of several that share the socket, the one that started first.

    None when there is none, or when it belongs to a user into whose processes we may not look.
    """
    inodes: set[str] = set()
    for table in ("tcp", "tcp6"):
        try:
            inodes |= parse_listening_inodes((proc / "net" / table).read_text(), port)
        except OSError:
            continue
    ours = {inode for inode in inodes if _has_open(proc / "self" / "fd", {f"socket:[{inode}]"})}
    pid = min(_holders(proc, inodes - ours or ours), default=None)  # at another address the port may be ours
    return None if pid is None else _describe(proc, pid)


def parse_listening_inodes(table: str, port: int) -> set[str]:
    """Inodes of the sockets that listen on `port`, from the text of /proc/net/tcp or tcp6 (proc_net_tcp.txt)."""
    inodes: set[str] = set()
    for line in table.splitlines()[1:]:
        columns = line.split()
        if len(columns) >= 10 and columns[3] == _LISTEN and columns[1].endswith(f":{port:04X}"):
            inodes.add(columns[9])
    return inodes


def parse_unit(cgroup: str) -> str:
    """The systemd service that /proc/PID/cgroup names, or ""."""
    for line in cgroup.splitlines():
        found = _UNIT(line)
        if found:
            return found[1]
    return ""


def _holders(proc: Path, inodes: set[str]) -> Iterator[int]:
    targets = {f"socket:[{inode}]" for inode in inodes}
    if not targets:
        return
    for process in proc.iterdir():
        if process.name.isdigit() and _has_open(process / "fd", targets):
            yield int(process.name)


def _has_open(descriptors: Path, targets: set[str]) -> bool:
    try:
        return any(_link(each) in targets for each in descriptors.iterdir())
    except OSError:  # ended, or another user's
        return False


def _link(descriptor: Path) -> str:
    try:
        return os.readlink(descriptor)  # noqa: PTH115 – "socket:[1234]" is no path
    except OSError:
        return ""


def _describe(proc: Path, pid: int) -> PortHolder:
    name = "".join(filter(str.isprintable, _read(proc / str(pid) / "comm").strip()))
    return PortHolder(pid, name or "a process", parse_unit(_read(proc / str(pid) / "cgroup")))


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
