"""Verdicts about an origin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.upstream.health import (
    AVOIDED_SECONDS,
    MAX_AVOIDED_SECONDS,
    MAX_BAD_ANSWERS,
    MAX_PROBE_FAILURES,
    OriginHealth,
)


def test_one_refusal_is_enough() -> None:
    """Avoided for a while, then tried again."""
    health = OriginHealth()
    assert not health.is_avoided(0.0)
    health.refused(0.0)
    assert health.is_avoided(AVOIDED_SECONDS - 0.1)
    assert not health.is_avoided(AVOIDED_SECONDS)


def test_each_further_refusal_doubles_the_time() -> None:
    """Up to a minute."""
    health = OriginHealth()
    now, waits = 0.0, []
    for _ in range(6):
        health.refused(now)
        start = now
        while health.is_avoided(now):
            now += 1.0
        waits.append(now - start)
    assert waits == [10.0, 20.0, 40.0, 60.0, 60.0, 60.0]


def test_a_connection_ends_it() -> None:
    """And the next refusal begins anew."""
    health = OriginHealth()
    for _ in range(5):
        health.refused(0.0)
    health.opened()
    assert not health.is_avoided(0.0)
    health.refused(1.0)
    assert not health.is_avoided(1.0 + AVOIDED_SECONDS)


def test_bad_answers_in_a_row() -> None:
    """Told once; a good one in between begins the count anew, and connections alone prove nothing."""
    health = OriginHealth()
    assert [health.answered(503, 0.0) for _ in range(MAX_BAD_ANSWERS - 1)] == [False] * (MAX_BAD_ANSWERS - 1)
    health.answered(200, 0.0)
    verdicts = [health.answered_badly(1.0) for _ in range(MAX_BAD_ANSWERS + 2)]
    assert verdicts == [False] * (MAX_BAD_ANSWERS - 1) + [True, False, False]
    health.opened()
    assert health.is_avoided(1.0)
    health.answered(200, 2.0)
    assert not health.is_avoided(2.0)


@pytest.mark.parametrize("status", [200, 301, 404, 500, 501])
def test_what_is_no_bad_answer(status: int) -> None:
    """A 500 is one view of the application, the same on every origin."""
    health = OriginHealth()
    for _ in range(100):
        assert not health.answered(status, 0.0)
    assert not health.is_avoided(0.0)


def test_probes() -> None:
    """Two failures in a row avoid an origin until one passes; each change is told once."""
    health = OriginHealth()
    assert [health.probe_failed() for _ in range(4)] == [False, True, False, False]
    assert health.is_avoided(1e9)
    assert health.probe_passed()
    assert not health.is_avoided(0.0)
    assert not health.probe_passed()
    for _ in range(5):
        assert not health.probe_failed()
        health.probe_passed()


def test_a_probe_that_passes_outweighs_the_past() -> None:
    """An origin that came back is used at once, not when its time is up."""
    health = OriginHealth()
    for _ in range(9):
        health.refused(0.0)
    health.probe_passed()
    assert not health.is_avoided(0.0)


@given(st.lists(st.sampled_from(["refused", "opened", "good", "bad", "none", "passed", "failed"])))
def test_every_history_heals(history: list[str]) -> None:
    """Whatever happened, an origin is not avoided a minute later, unless its probes fail."""
    health = OriginHealth()
    for number, event in enumerate(history):
        now = float(number)
        match event:
            case "refused":
                health.refused(now)
            case "opened":
                health.opened()
            case "good":
                health.answered(200, now)
            case "bad":
                health.answered(502, now)
            case "none":
                health.answered_badly(now)
            case "passed":
                health.probe_passed()
            case "failed":
                health.probe_failed()
    failing = history[::-1].index("passed") if "passed" in history else len(history)
    recent = history[len(history) - failing :]
    out = recent.count("failed") >= MAX_PROBE_FAILURES
    assert health.is_avoided(len(history) + MAX_AVOIDED_SECONDS) == out
