"""The three things that Linux lets a process say about itself and Python does not wrap (prctl(2))."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Final

_libc: Final = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_PR_SET_NO_NEW_PRIVS: Final = 38


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


def _prctl(option: int, argument: ctypes.c_ulong | ctypes.c_char_p) -> None:
    zero = ctypes.c_ulong(0)
    if _libc.prctl(ctypes.c_int(option), argument, zero, zero, zero) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
