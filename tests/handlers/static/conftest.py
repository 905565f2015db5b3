"""Fixtures of the static file tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.handlers.static.site import StaticSite


def descriptors() -> set[str]:
    """The descriptors this process has open."""
    return set(os.listdir("/proc/self/fd"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[StaticSite]:
    """A mount at /static; fails the test if it leaves a descriptor open."""
    root = tmp_path / "root"
    root.mkdir()
    before = descriptors()
    site = StaticSite(root)
    yield site
    site.handler.close()
    assert descriptors() == before
