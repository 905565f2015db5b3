"""Fixtures of the static file tests."""

from __future__ import annotations

import gc
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
    gc.collect()  # or it closes, in the middle of the test, what an earlier one has left
    before = descriptors()
    site = StaticSite(root)
    yield site
    site.handler.close()
    assert descriptors() == before
