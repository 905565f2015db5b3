"""Records of the standard library's `logging` (asyncio, urllib3, acme) become lines like our own.

Otherwise an unhandled error in a callback, which asyncio only logs, would be bare text between JSON lines.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from structlog.typing import FilteringBoundLogger


class ForeignRecords(logging.Handler):
    """Passes each record on. The library's sentence is data, not an event: it may hold text from the network."""

    def __init__(self, get_logger: Callable[[str], FilteringBoundLogger]) -> None:
        super().__init__(logging.WARNING)
        self._get_logger = get_logger

    def emit(self, record: logging.LogRecord) -> None:
        """Called by `logging`; a record that cannot be formatted goes where `logging` sends such."""
        try:
            room = record.name.partition(".")[0]
            say = self._get_logger(room).error if record.levelno >= logging.ERROR else self._get_logger(room).warning
            say("library message", message=record.getMessage(), exc_info=record.exc_info or False)
        except Exception:  # a logging handler must not raise into the library that logs
            self.handleError(record)


def adopt_foreign_records(get_logger: Callable[[str], FilteringBoundLogger]) -> None:
    """Put one such handler on the root logger, in place of an earlier one."""
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, ForeignRecords)]:
        root.removeHandler(handler)
    root.addHandler(ForeignRecords(get_logger))
