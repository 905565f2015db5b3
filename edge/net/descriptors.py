"""How many files and sockets this process may have open."""

from __future__ import annotations

import contextlib
import resource
import sys


def available_descriptors() -> int:
    """The limit, raised as far as the system lets us: shells and service managers often start at 1024 with far more allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
