"""Fixtures of the HTTP/2 contract: everything that uses them runs once per engine."""

from __future__ import annotations

import pytest

from tests.wire.http2_peer import KINDS, Peer


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    assert isinstance(request.param, str)
    return request.param


@pytest.fixture
def peer(kind: str) -> Peer:
    return Peer(kind)
