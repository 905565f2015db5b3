"""What counts as flat."""

from __future__ import annotations

import pytest

from soak.samples import Sample, verdict

QUIET = Sample(memory=100 << 20, descriptors=60, latency=0.005)


def test_noise_is_flat() -> None:
    """Warm-up and single outliers say nothing."""
    warm_up = [Sample(memory=50 << 20, descriptors=20, latency=0.2)] * 10
    outlier = [Sample(memory=500 << 20, descriptors=400, latency=2.0)]
    assert verdict([*warm_up, *[QUIET] * 29, *outlier]) == []


@pytest.mark.parametrize(
    ("step", "word"),
    [(Sample(1 << 20, 0, 0.0), "memory"), (Sample(0, 1, 0.0), "descriptors"), (Sample(0, 0, 0.01), "latency")],
    ids=["memory", "descriptors", "latency"],
)
def test_what_grows_is_found(step: Sample, word: str) -> None:
    """A little more with each sample is a leak."""
    samples = [
        Sample(
            QUIET.memory + number * step.memory,
            QUIET.descriptors + number * step.descriptors,
            QUIET.latency + number * step.latency,
        )
        for number in range(60)
    ]
    (complaint,) = verdict(samples)
    assert complaint.startswith(word)


def test_too_little_is_no_verdict() -> None:
    """Nobody is told that all is well after seven samples."""
    assert verdict([QUIET] * 7) != []
