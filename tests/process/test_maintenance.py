"""Maintenance mode between the command and the keeper: one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config.maintenance import MAX_PAGE, MaintenanceNotice
from edge.errors import StorageError
from edge.process.maintenance import KEY, MaintenanceWatch, begin_maintenance, end_maintenance, read_notice
from edge.storage.opening import open_storage

NOTICE = MaintenanceNotice("<h1>ä</h1>", 120)


class Heard:
    def __init__(self, storage: Path) -> None:
        self.notices: list[MaintenanceNotice | None] = []
        self.watch = MaintenanceWatch(lambda: str(storage), self.notices.append)


def test_what_the_command_writes_is_what_the_keeper_reads(tmp_path: Path) -> None:
    """On, changed, off; and `end_maintenance` tells whether there was anything to end."""
    storage = str(tmp_path)
    assert read_notice(open_storage(storage)) is None
    begin_maintenance(storage, NOTICE)
    assert read_notice(open_storage(storage)) == NOTICE
    begin_maintenance(storage, MaintenanceNotice())
    assert read_notice(open_storage(storage)) == MaintenanceNotice()
    assert end_maintenance(storage)
    assert not end_maintenance(storage)
    assert read_notice(open_storage(storage)) is None


def test_only_changes_are_told(tmp_path: Path) -> None:
    """A watch that looks every second must not talk every second."""
    heard = Heard(tmp_path)
    heard.watch.look()
    assert heard.notices == []
    begin_maintenance(str(tmp_path), NOTICE)
    heard.watch.look()
    heard.watch.look()
    end_maintenance(str(tmp_path))
    heard.watch.look()
    heard.watch.look()
    assert heard.notices == [NOTICE, None]


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b"\xff", b'{"retry_after": "x"}', b'{"retry_after": -1}'])
def test_a_damaged_file_changes_nothing(tmp_path: Path, damaged: bytes) -> None:
    """Neither does it open a site that is closed, nor close one that is open."""
    heard = Heard(tmp_path)
    begin_maintenance(str(tmp_path), NOTICE)
    heard.watch.look()
    (tmp_path / KEY).write_bytes(damaged)
    heard.watch.look()
    heard.watch.look()
    assert heard.notices == [NOTICE]
    with pytest.raises(StorageError, match="damaged"):
        read_notice(open_storage(str(tmp_path)))


def test_a_page_that_no_message_can_carry_is_refused(tmp_path: Path) -> None:
    """Characters that JSON writes with six bytes each."""
    with pytest.raises(StorageError, match="too large"):
        begin_maintenance(str(tmp_path), MaintenanceNotice("\x01" * MAX_PAGE))
