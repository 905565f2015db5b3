"""What Linux lets a process say about itself and Python does not wrap (prctl(2), capset(2))."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Final

_libc: Final = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NAME: Final = 15
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
_CAPABILITY_VERSION_3: Final = 0x20080522


def set_process_name(name: str) -> None:
    """Show as `name` in top, ps -C and killall; the kernel keeps 15 bytes."""
    _prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()[:15]))


def signal_when_parent_dies(number: signal.Signals) -> None:
    """Be sent `number` when the parent ends, however it ends.

    A change of user clears this, so call it after that change; a parent that is already gone is not noticed."""
    _prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(number))


def forbid_new_privileges() -> None:
    """No set-user-ID program started from here gains anything."""
    _prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1))


def keep_memory_private() -> None:
    """Write no core dump, let no process of the same user look into this one. A change of user ends it: call it after that."""
    _prctl(_PR_SET_DUMPABLE, ctypes.c_ulong(0))


def give_up_capabilities() -> None:
    """Have none of root's rights any more, not even those that a service manager handed out."""
    _prctl(_PR_CAP_AMBIENT, ctypes.c_ulong(_PR_CAP_AMBIENT_CLEAR_ALL))
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if _libc.capset(header, nothing) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _prctl(option: int, argument: ctypes.c_ulong | ctypes.c_char_p) -> None:
    zero = ctypes.c_ulong(0)
    if _libc.prctl(ctypes.c_int(option), argument, zero, zero, zero) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
