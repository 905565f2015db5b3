"""Words for what went wrong, and their answers."""

from __future__ import annotations

import pytest

from edge.net.socket_stream import REASONS
from edge.upstream.failures import upstream_error


@pytest.mark.parametrize(
    "word", [*REASONS.values(), "socket-error", "closed-before-response", "first-byte-timeout", "??"]
)
def test_every_word_has_an_answer(word: str) -> None:
    """502, 503 or 504; an unknown word is the origin breaking HTTP; 503 says when to come back."""
    error = upstream_error(word)
    assert error.status in (502, 503, 504)
    assert (error.retry_after is not None) == (error.status == 503)


def test_slow_is_not_down() -> None:
    """504 means time, 502 means refusal or nonsense."""
    assert upstream_error("timeout").status == 504
    assert upstream_error("first-byte-timeout").status == 504
    assert upstream_error("refused").status == 502
    assert upstream_error("permission").reason == "upstream-permission"
    assert upstream_error("not-http").reason == "upstream-protocol"
