"""The little mathematics of the suite. Medians, because one slow round on a shared machine must not move a figure."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from statistics import median


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the sorted values do not exceed (nearest rank)."""
    return ordered[max(ceil(share * len(ordered)) - 1, 0)]


def median_ratio(peer: Sequence[float], ours: Sequence[float]) -> float:
    """Median over rounds of peer divided by ours: above 1, we need less. Both sequences are in order of rounds."""
    return median(theirs / mine for theirs, mine in zip(peer, ours, strict=True))


def spread(values: Sequence[float]) -> float:
    """Half of the range, as a share of the median: how far rounds lie apart."""
    return (max(values) - min(values)) / 2 / median(values)
