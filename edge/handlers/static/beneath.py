"""Opening a file beneath a directory, so that neither its name nor a symbolic link in it can lead anywhere else.

Checking a path and opening it afterwards leaves a gap in which somebody can put a link in its place. Therefore the kernel
does both at once: `openat2` with RESOLVE_BENEATH (Linux 5.6) follows links, but never out of the directory. Where that
system call is missing or forbidden (older container runtimes), links are resolved first and the result is opened segment by
segment, following none: whoever swaps in a link then gets an error, not another file.

RESOLVE_BENEATH refuses every absolute link, even one that points back into the directory; such a link takes the second way.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
from functools import cache
from typing import Final

_SYS_OPENAT2: Final = 437
_MACHINES: Final = ("x86_64", "aarch64")
"""Where the system call is known to have this number."""

_RESOLVE_NO_MAGICLINKS: Final = 0x02
_RESOLVE_BENEATH: Final = 0x08

_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
"""Non-blocking: opening a FIFO must not wait for somebody to write to it."""

_RACES: Final = 8
"""How often to try again when the kernel cannot rule out a rename at the wrong moment (EAGAIN)."""


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_how = _OpenHow(_FLAGS, 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)
_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.POINTER(_OpenHow), ctypes.c_size_t)


def open_beneath(directory: int, path: bytes, name: bytes) -> int:
    """A descriptor, for reading, of `name` beneath a directory given as open descriptor and as path.

    `name` is relative, without empty, `.` or `..` segments and without NUL. What was opened may be of any kind, a directory
    too: look at it before reading.

    Raises: OSError as open(2) does; EXDEV when the way leads out of the directory.
    """
    if has_openat2():
        try:
            return open_in_kernel(directory, name)
        except OSError as exc:
            if exc.errno != errno.EXDEV:
                raise
    return open_resolved(directory, path, name)


def open_in_kernel(directory: int, name: bytes) -> int:
    """`open_beneath` through openat2, which refuses absolute links with EXDEV."""
    for _ in range(_RACES):
        descriptor = int(_syscall(_SYS_OPENAT2, directory, name, ctypes.byref(_how), ctypes.sizeof(_how)))
        if descriptor >= 0:
            return descriptor
        number = ctypes.get_errno()
        if number != errno.EAGAIN:
            break
    raise OSError(number, os.strerror(number))


def open_resolved(directory: int, path: bytes, name: bytes) -> int:
    """`open_beneath` without openat2: resolve all links, then walk the result without following any."""
    top = os.path.realpath(path).rstrip(b"/") + b"/"
    target = os.path.realpath(top + name)
    if not target.startswith(top):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    *parents, last = target.removeprefix(top).split(b"/")
    current = directory
    try:
        for parent in parents:
            child = os.open(parent, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=current)
            if current != directory:
                os.close(current)
            current = child
        return os.open(last, _FLAGS | os.O_NOFOLLOW, dir_fd=current)
    finally:
        if current != directory:
            os.close(current)


@cache
def has_openat2() -> bool:
    """Whether this kernel, and what guards it, lets us use openat2."""
    if platform.system() != "Linux" or platform.machine() not in _MACHINES:
        return False
    root = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        os.close(open_in_kernel(root, b"."))
    except OSError:
        return False
    finally:
        os.close(root)
    return True
