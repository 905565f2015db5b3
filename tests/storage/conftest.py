"""One Redis and one PostgreSQL for all tests of this room, started when the first test asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.storage.servers import DatabaseServer, PostgreSQLProcess, RedisProcess


@pytest.fixture(scope="session")
def redis() -> Iterator[DatabaseServer]:
    with RedisProcess() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[DatabaseServer]:
    with PostgreSQLProcess() as server:
        yield server
