"""What is checked before any process of a generation exists."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from edge.config.schema import Site
from edge.errors import ConfigError
from edge.net.listening import close_listeners
from edge.process.generation import prepare
from tests.process.running import sample_config


def test_generations_count_from_one(tmp_path: Path) -> None:
    """The successor has the next number and, at unchanged addresses, the same sockets."""
    first = prepare(sample_config(tmp_path))
    second = prepare(first.config, first)
    assert (first.number, second.number) == (1, 2)
    assert [each.sock for each in second.listeners] == [each.sock for each in first.listeners]
    close_listeners(first.listeners)


def test_a_configuration_that_no_message_can_hold_is_a_complaint(tmp_path: Path) -> None:
    """It is refused before anything has been started or opened."""
    sites = tuple(Site((f"{'long' * 5000}{number}.test",)) for number in range(2000))
    with pytest.raises(ConfigError, match="too large"):
        prepare(msgspec.structs.replace(sample_config(tmp_path), sites=sites))


def test_a_loop_that_is_not_installed_is_a_complaint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator reads which package is missing."""
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with pytest.raises(ConfigError, match=r"pip install 'edge\[fast\]'"):
        prepare(msgspec.structs.replace(sample_config(tmp_path), loop="uvloop"))
