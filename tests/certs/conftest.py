"""Fixtures of this room."""

from __future__ import annotations

import pytest

from edge.certs import manager, schedule


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wake hourly instead of each minute, for tests that live through months."""
    monkeypatch.setattr(schedule, "LONGEST_SLEEP", 3600.0)
    monkeypatch.setattr(manager, "CHECK_INTERVAL", 3600.0)
