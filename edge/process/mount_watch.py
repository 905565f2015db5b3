"""Directories that workers use, to serve from or to log to, and that were replaced by others of the same name, as deployments do.

A confined worker was let into the directory that was there when it started. It cannot be let into another one, so it is replaced
by a new worker. The supervisor looks once a second; that costs a stat for each of them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Final

from edge.config.schema import Config
from edge.process.confinement import is_confined
from edge.process.reactor import Reactor

INTERVAL: Final = 1.0
"""Seconds. As quickly as edge notices changed files."""

_NONE: Final = -1
"""In place of a descriptor: the directory was away when we looked first, so whatever comes is another one."""


class MountWatch:
    """Calls `replaced(directory)` when one of the directories of `watch` is no longer the one it was. They are kept open, so that
    a new one cannot get the inode number of an old one."""

    def __init__(self, reactor: Reactor, replaced: Callable[[str], None]) -> None:
        self._reactor = reactor
        self._replaced = replaced
        self._directories: dict[str, int] = {}
        self._is_looking = False
        reactor.closers.append(self._let_go)

    def watch(self, config: Config) -> None:
        """From now on these, which workers have just been let into."""
        self._let_go()
        if not is_confined(config):
            return
        names = {mount.directory for site in config.sites for mount in (*site.static, *site.internal)}
        if config.log.access.startswith("/"):
            names.add(os.path.dirname(config.log.access))  # noqa: PTH120  # as the rules of confinement name it
        for name in names:
            self._directories[name] = _NONE
            with contextlib.suppress(OSError):
                self._directories[name] = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        if not self._is_looking and self._directories:
            self._is_looking = True
            self._reactor.call_later(INTERVAL, self._look)

    def _look(self) -> None:
        self._is_looking = bool(self._directories)
        if not self._is_looking:
            return
        self._reactor.call_later(INTERVAL, self._look)
        for name in [name for name, descriptor in self._directories.items() if _is_another(name, descriptor)]:
            _close(self._directories.pop(name))
            self._replaced(name)

    def _let_go(self) -> None:
        for descriptor in self._directories.values():
            _close(descriptor)
        self._directories = {}


def _close(descriptor: int) -> None:
    if descriptor != _NONE:
        os.close(descriptor)


def _is_another(name: str, descriptor: int) -> bool:
    """A name without a directory is not another one yet: the deployment goes on."""
    try:
        now = os.stat(name)  # noqa: PTH116  # beside fstat
        return descriptor == _NONE or not os.path.samestat(now, os.fstat(descriptor))
    except OSError:
        return False
