"""Purges between the command and the keeper: one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config.purge import Purge
from edge.errors import StorageError
from edge.process.purge import KEY, PurgeWatch, purge_cache, read_purges


class Heard:
    def __init__(self, storage: Path) -> None:
        self.purges: list[tuple[Purge, ...]] = []
        self.watch = PurgeWatch(lambda: str(storage), self.purges.append)


def test_what_the_command_writes_is_what_the_keeper_reads(tmp_path: Path) -> None:
    """Each once, in their order; nobody runs, so nobody confirms."""
    heard = Heard(tmp_path)
    heard.watch.look()
    assert heard.purges == []
    assert not purge_cache(str(tmp_path), "", "/a", patience=0)
    assert not purge_cache(str(tmp_path), "a.test", "", patience=0)
    heard.watch.look()
    heard.watch.look()
    ((first, second),) = heard.purges
    assert (first.site, first.pattern, second.site, second.pattern) == ("", "/a", "a.test", "")
    assert first.at < second.at


def test_the_command_hears_when_workers_have_been_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And only then: what an earlier purge was told is no confirmation of this one."""
    heard = Heard(tmp_path)
    purge_cache(str(tmp_path), "", "/a", patience=0)
    heard.watch.look()
    assert not purge_cache(str(tmp_path), "", "/b", patience=0.01)
    monkeypatch.setattr("edge.process.purge.time.sleep", lambda _seconds: heard.watch.look())
    assert purge_cache(str(tmp_path), "", "/c")
    assert len(heard.purges[-1]) == 3


@pytest.mark.parametrize("damaged", [b"", b"{", b"{}", b"\xff", b'[{"at": "x"}]'])
def test_a_damaged_file_forgets_everything(tmp_path: Path, damaged: bytes) -> None:
    """Asking the application again costs time, an old page costs more; once, not every second."""
    purge_cache(str(tmp_path), "", "/a", patience=0)
    (tmp_path / KEY).write_bytes(damaged)
    heard = Heard(tmp_path)
    heard.watch.look()
    heard.watch.look()
    ((purge,),) = heard.purges
    assert (purge.site, purge.pattern) == ("", "")
    with pytest.raises(StorageError, match="damaged"):
        read_purges(str(tmp_path))
