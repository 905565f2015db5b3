"""Which engine serves."""

from __future__ import annotations

import pytest

from edge.errors import ConfigError
from edge.wire import http2
from edge.wire.http2 import http2_engine_factory
from tests.plain import plain_only


def test_auto_takes_the_fast_engine_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """auto is ngh2 if it can be imported, else h2."""
    assert type(http2_engine_factory("auto")()).__name__ == "Ngh2Engine"
    monkeypatch.setattr(http2, "is_ngh2_installed", lambda: False)
    assert type(http2_engine_factory("auto")()).__name__ == "H2Engine"


@plain_only
def test_a_missing_engine_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """ngh2 asked for by name and not installed: one sentence that says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "ngh2", None)
    monkeypatch.delitem(__import__("sys").modules, "edge.wire.http2_ngh2", raising=False)
    with pytest.raises(ConfigError, match=r"pip install 'edge\[fast\]'"):
        http2_engine_factory("ngh2")
