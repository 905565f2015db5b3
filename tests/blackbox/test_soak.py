"""The soak command, for half a minute: everything at once, and nothing has grown."""

from __future__ import annotations

from pathlib import Path

from soak.run import describe, soak

SECONDS = 24.0


def test_a_short_life_is_flat(tmp_path: Path) -> None:
    """After reloads, renewals and killed processes under all kinds of traffic, memory, descriptors and latency stay level."""
    report = soak(tmp_path, SECONDS)
    assert report.complaints == (), describe(report)
    assert report.reloads
    assert report.deaths
    assert report.certificates >= 2
