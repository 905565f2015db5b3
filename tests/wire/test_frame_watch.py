"""The watch in front of the engines: what passes, what does not, and where the cut is."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.wire.flood_budget import FloodBudget
from edge.wire.frame_watch import FrameWatch
from tests.wire import http2_frames as wire

GOOD = wire.opening() + wire.headers(1, wire.POST, end=False) + wire.data(1, b"x" * 300) + wire.ping()
BAD = wire.frame(wire.DATA, 0, 1, length=16385)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, len(GOOD + BAD)), max_size=12))
def test_reads_may_be_cut_anywhere(cuts: list[int]) -> None:
    """However the input is cut, all of the good frames and nothing of the bad one reaches the engine."""
    stream, watch, passed = GOOD + BAD, FrameWatch(), 0
    edges = [0, *sorted(cuts), len(stream)]
    for start, end in pairwise(edges):
        if watch.violation is None:
            passed += watch.observe(stream[start:end], 0.0)
    assert watch.violation is not None
    assert watch.violation.reason == "frame-too-large"
    assert len(GOOD) <= passed < len(GOOD) + 9


def test_a_whole_read_is_cut_at_the_bad_frame() -> None:
    """In one read the cut is exact."""
    watch = FrameWatch()
    assert watch.observe(GOOD + BAD, 0.0) == len(GOOD)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=100))
def test_noise_never_raises(noise: bytes) -> None:
    """Anything passes or is a violation."""
    watch = FrameWatch()
    watch.observe(wire.opening(), 0.0)
    passed = watch.observe(noise, 0.0)
    assert (passed == len(noise)) == (watch.violation is None)


def test_a_budget_is_a_burst_and_a_rate() -> None:
    """Two at once, then one per second; rest does not add up beyond the burst."""
    budget = FloodBudget(2, 1)
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    budget.now = 1.0
    assert [budget.spend() for _ in range(2)] == [True, False]
    budget.now = 100.0
    assert [budget.spend() for _ in range(3)] == [True, True, False]


def test_a_clock_that_steps_back_forgives_nothing() -> None:
    """Time that runs backwards neither adds nor breaks."""
    budget = FloodBudget(1, 1)
    budget.now = 10.0
    assert budget.spend()
    budget.now = 5.0
    assert not budget.spend()
    budget.now = 6.0
    assert budget.spend()


@pytest.mark.parametrize("pieces", [0, 7, 8])
def test_a_header_block_in_few_pieces_passes(pieces: int) -> None:
    """Up to eight CONTINUATION frames are in order."""
    watch = FrameWatch()
    block = wire.frame(wire.HEADERS, 0 if pieces else wire.END_HEADERS, 1)
    for number in range(pieces):
        block += wire.frame(wire.CONTINUATION, wire.END_HEADERS if number == pieces - 1 else 0, 1, b"x")
    watch.observe(wire.opening() + block, 0.0)
    assert watch.violation is None
    assert not watch.head_in_progress
