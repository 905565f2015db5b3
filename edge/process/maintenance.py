"""Maintenance mode: a value in the storage, written by `edge maintenance`, watched by the keeper.

Workers cannot read the storage, so the keeper looks once a second and tells them. A value rather than a message to the keeper:
it outlives restarts of everything, the command works while edge is stopped, and it holds for all nodes of a storage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from edge.config.maintenance import MaintenanceNotice
from edge.errors import StorageError
from edge.storage.contract import Storage
from edge.storage.opening import open_storage
from edge.telemetry.logs import get_logger

KEY: Final = "maintenance.json"

INTERVAL: Final = 1.0
"""Seconds between two looks. A person waits for it; a look costs the keeper one failing `open`."""

LARGEST_NOTICE: Final = 128 * 1024
"""Bytes. It is kept in memory by every worker and sent to every visitor."""

log = get_logger("process")

_decoder = msgspec.json.Decoder(MaintenanceNotice)


def begin_maintenance(storage: str, notice: MaintenanceNotice) -> None:
    """Tell visitors so from now on, whether or not edge runs at the moment. Raises: StorageError."""
    value = msgspec.json.encode(notice)
    if len(value) > LARGEST_NOTICE:
        raise StorageError("the maintenance page is too large; make it smaller")
    open_storage(storage).store(KEY, value)


def end_maintenance(storage: str) -> bool:
    """Let visitors through again; whether there was maintenance. Raises: StorageError."""
    opened = open_storage(storage)
    was_on = opened.load(KEY) is not None
    if was_on:
        opened.delete(KEY)
    return was_on


def read_notice(storage: Storage) -> MaintenanceNotice | None:
    """What visitors are told at the moment, None outside maintenance. Raises: StorageError, also for what is no notice."""
    value = storage.load(KEY)
    if value is None:
        return None
    try:
        return _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StorageError(f"{KEY} in the storage is damaged; run edge maintenance on or off again") from error


class MaintenanceWatch:
    """Tells `changed` about maintenance: at the first look, then whenever it is another one."""

    def __init__(self, storage: Callable[[], str], changed: Callable[[MaintenanceNotice | None], None]) -> None:
        self._setting = storage
        self._opened: tuple[str, Storage] | None = None
        self._changed = changed
        self._notice: MaintenanceNotice | None = None
        self._problem = ""

    def look(self) -> None:
        """Look once. What cannot be read changes nothing: neither does it open a site nor close one."""
        try:
            notice = read_notice(self._storage())
        except StorageError as error:
            self._complain(str(error))
            return
        self._problem = ""
        if notice != self._notice:
            self._notice = notice
            log.info("maintenance begins" if notice else "maintenance ends")
            self._changed(notice)

    def _storage(self) -> Storage:
        """Opened once: a server wants no new connection every second."""
        setting = self._setting()
        if self._opened is None or self._opened[0] != setting:
            self._opened = (setting, open_storage(setting))
        return self._opened[1]

    def _complain(self, problem: str) -> None:
        """Once, not every second."""
        if problem != self._problem:
            self._problem = problem
            log.error("maintenance unknown, nothing changes", problem=problem)
