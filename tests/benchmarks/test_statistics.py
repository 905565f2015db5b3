"""Medians, ratios, percentiles, turns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.rounds import turns
from benchmarks.statistics import median_ratio, percentile, spread

VALUES = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=50)


def test_a_ratio_compares_inside_each_round() -> None:
    """A round in which the machine was slow for both changes nothing."""
    assert median_ratio([10.0, 30.0, 10.0], [20.0, 60.0, 20.0]) == 0.5


def test_one_disturbed_round_does_not_move_the_median() -> None:
    """The median, not the mean."""
    assert median_ratio([10.0, 900.0, 10.0], [10.0, 10.0, 10.0]) == 1.0


def test_rounds_must_belong_together() -> None:
    """A missing round is an error, not a shorter comparison."""
    with pytest.raises(ValueError, match="longer"):
        median_ratio([1.0], [1.0, 2.0])


@given(VALUES, st.floats(0.001, 1.0))
def test_a_percentile_covers_its_share(values: list[float], share: float) -> None:
    """At least that share of all values is not larger, and the percentile is one of them."""
    found = percentile(sorted(values), share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9


def test_spread_is_half_the_range_of_the_median() -> None:
    """Rounds of 9, 10 and 11 lie within ten per cent."""
    assert spread([9.0, 10.0, 11.0]) == pytest.approx(0.1)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=6, unique=True), st.integers(1, 6))
def test_everybody_runs_once_a_round_and_nobody_always_first(names: list[str], rounds: int) -> None:
    """Each round has every contender once; who begins changes from round to round."""
    order = turns(names, rounds)
    assert [sorted(each) for each in order] == [sorted(names)] * rounds
    beginners = [each[0] for each in order[: len(names)]]
    assert len(set(beginners)) == len(beginners)
