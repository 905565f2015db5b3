"""One CA for all tests of the ACME issuer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pebble import Pebble


@pytest.fixture(scope="package")
def pebble() -> Iterator[Pebble]:
    """One CA for all tests here; those that break it or need another one start their own."""
    with Pebble() as ca:
        yield ca
