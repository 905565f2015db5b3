"""Who runs with a storage directory (or with the one beside a storage server), for `edge upgrade`: a small file there, written
by the supervisor.

It says what was true when it was written. Whoever reads it asks the kernel whether that process still is the one that is meant:
its start time is as it was, it is called edge, and it belongs to the owner of the storage (who else could have written a pid of
somebody else's process here).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from edge.config.storage_setting import local_directory
from edge.errors import StorageError
from edge.storage.filesystem import FileSystemStorage
from edge.telemetry.logs import get_logger

KEY: Final = "supervisor.json"

PROCESS_NAME: Final = "edge"

log = get_logger("process")


class Supervised(Struct, frozen=True):
    """A supervisor. `started` is field 22 of /proc/PID/stat (ticks since boot). `refusals` counts upgrades that came to
    nothing, `complaints` say why the last one did."""

    pid: int
    started: int
    version: str
    refusals: int = 0
    complaints: tuple[str, ...] = ()


def write_supervised(storage: str, supervised: Supervised) -> None:
    """Best effort: what cannot be written costs the comfort of `edge upgrade`, nothing else."""
    try:
        FileSystemStorage(Path(local_directory(storage))).store(KEY, msgspec.json.encode(supervised))
    except StorageError as problem:
        log.debug("edge upgrade will not find this edge", problem=str(problem))


def read_supervised(storage: str) -> Supervised | None:
    """The supervisor that runs with this storage, None when there is none. Raises: StorageError."""
    directory = Path(local_directory(storage))
    value = FileSystemStorage(directory).load(KEY)
    if value is None:
        return None
    try:
        supervised = msgspec.json.decode(value, type=Supervised)
    except msgspec.MsgspecError as error:
        raise StorageError(f"{KEY} in the storage is damaged; restart edge") from error
    return supervised if _is_meant(supervised, directory) else None


def _is_meant(supervised: Supervised, storage: Path) -> bool:
    process = Path(f"/proc/{supervised.pid}")
    try:
        name = (process / "comm").read_text().strip()
        return (
            name == PROCESS_NAME
            and start_time(supervised.pid) == supervised.started
            and _user_of(process) == storage.stat().st_uid
        )
    except OSError:
        return False


def _user_of(process: Path) -> int:
    """The effective user. (The owner of the directory is root for a process that lets itself be looked into by nobody.)"""
    lines = (process / "status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Uid:")).split()[2])


def start_time(pid: int) -> int:
    """When a process was started, in clock ticks since boot; with its pid that names it for good. Raises: OSError."""
    text = Path(f"/proc/{pid}/stat").read_text()
    return int(text.rpartition(")")[2].split()[19])


def own_record(version: str) -> Supervised:
    """This process."""
    return Supervised(os.getpid(), start_time(os.getpid()), version)
