"""Landlock (Linux 5.13): a process gives up, for good, every right to files that it does not name.

Python does not wrap the three system calls, and glibc neither. Each grant is to a directory and all below it, or to a file, as it
is now: what takes its name later is something else. What is open already stays open. Connecting to a unix socket needs no grant.

Source: landlock(7), https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys
from collections.abc import Iterable
from enum import IntFlag
from typing import Final

from msgspec import Struct

_libc: Final = ctypes.CDLL(None, use_errno=True)

_CREATE_RULESET: Final = 444  # the same numbers on every architecture that has these calls by name
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446

_ASK_VERSION: Final = 1
_RULE_PATH: Final = 1

_BIND_TCP: Final = 1 << 0
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS: Final = 0b11


class Access(IntFlag):
    """What can be done with files (LANDLOCK_ACCESS_FS_*)."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIRECTORY = 1 << 3
    REMOVE_DIRECTORY = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_DEVICE = 1 << 6
    MAKE_DIRECTORY = 1 << 7
    MAKE_FILE = 1 << 8
    MAKE_SOCKET = 1 << 9
    MAKE_PIPE = 1 << 10
    MAKE_BLOCK_DEVICE = 1 << 11
    MAKE_LINK = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    CONTROL_DEVICE = 1 << 15


READ: Final = Access.READ_FILE | Access.READ_DIRECTORY
"""Libraries can be loaded, programs not be started."""

APPEND: Final = Access.WRITE_FILE | Access.MAKE_FILE
SPOOL: Final = READ | APPEND | Access.REMOVE_FILE | Access.TRUNCATE

WORK: Final = SPOOL | Access.MAKE_DIRECTORY | Access.REMOVE_DIRECTORY

_OF_FILES: Final = Access.EXECUTE | Access.WRITE_FILE | Access.READ_FILE | Access.TRUNCATE | Access.CONTROL_DEVICE
"""What a grant to a single file may say."""

_KNOWN: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many of these rights a version of Landlock knows; later ones know all of ours."""


class Grant(Struct, frozen=True):
    """`access` to `path` and what is below it. A path that does not exist is no error: then nothing is granted."""

    path: str
    access: Access


def landlock_version() -> int:
    """What this kernel has: 0 for nothing, 4 adds TCP ports, 6 signals and abstract sockets."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION))))


def confine(grants: Iterable[Grant]) -> None:
    """From now on this process, and what it starts, has these grants and no others. Where the kernel can see to it, it opens no
    TCP port either, and sends signals to nobody else. The way to new privileges must be closed already. Raises: OSError."""
    version = landlock_version()
    handled = Access((1 << _KNOWN.get(version, 16)) - 1)
    ruleset = _create_ruleset(version, handled)
    try:
        for grant in grants:
            _add_path(ruleset, grant, handled)
        _call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _create_ruleset(version: int, handled: Access) -> int:
    fields = [
        int(handled),
        *([_BIND_TCP] if version >= 4 else []),
        *([_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS] if version >= 6 else []),
    ]
    attributes = _pack(*fields)
    return _call(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))


def _add_path(ruleset: int, grant: Grant, handled: Access) -> None:
    try:
        descriptor = os.open(grant.path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # gone, or not ours to see: then there is nothing to grant either
        return
    try:
        is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        access = grant.access & handled & (handled if is_directory else _OF_FILES)
        _add_path_rule(ruleset, _pack(int(access)) + descriptor.to_bytes(4, sys.byteorder))
    finally:
        os.close(descriptor)


def _add_path_rule(ruleset: int, attributes: bytes) -> None:
    _call(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_RULE_PATH), attributes, ctypes.c_uint32(0))


def _pack(*fields: int) -> bytes:
    return b"".join(field.to_bytes(8, sys.byteorder) for field in fields)


def _call(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
