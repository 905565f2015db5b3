"""Which processor cores servers and load generators get."""

from __future__ import annotations

import os
import resource

from msgspec import Struct

WANTED_FILES = 65_536
"""Descriptors that the largest scenario needs (5,000 connections, both ends, some of them proxied), with room."""


class Cores(Struct, frozen=True):
    """Core numbers. On a machine with one core both are the same, and requests a second mean little."""

    server: int
    load: int
    every: tuple[int, ...]

    def pinned(self, argv: tuple[str, ...], *cores: int) -> tuple[str, ...]:
        """The same command, kept on these cores together with all its children."""
        return ("taskset", "-c", ",".join(map(str, cores)), *argv)


def choose_cores() -> Cores:
    """The first core of those this process may use is the servers', the last one the load generators'."""
    allowed = tuple(sorted(os.sched_getaffinity(0)))
    return Cores(allowed[0], allowed[-1], allowed)


def settle_on(core: int) -> None:
    """Keep this process (it is a load generator too) off the servers' core."""
    os.sched_setaffinity(0, {core})


def raise_file_limit() -> int:
    """Allow as many open files as this user may have, for this process and its children; returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, WANTED_FILES)
    if wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(wanted, soft)
