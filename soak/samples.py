"""What is measured while edge lives, and the judgement at the end: flat or not. The judgement is pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

MEMORY_LEEWAY: Final = 6 << 20
"""Bytes that the process tree may have grown in the calm part: caches that still fill, and what the allocator keeps."""

MEMORY_SHARE: Final = 0.10
"""The same as a share of what there was, for trees of many workers."""

DESCRIPTOR_LEEWAY: Final = 12
"""Connections that are being opened or closed at the moment of a sample; the median of many is compared."""

LATENCY_FACTOR, LATENCY_LEEWAY = 2.0, 0.02
"""At the end a request may take so many times as long as before, and seconds more: machines have other things to do."""


class Sample(Struct, frozen=True):
    """One moment: bytes of memory and open descriptors of the process tree, seconds that one request took."""

    memory: int
    descriptors: int
    latency: float


def verdict(samples: Sequence[Sample]) -> list[str]:
    """What has grown from the second quarter of these samples (the first is warm-up) to the last one; empty when flat."""
    quarter = len(samples) // 4
    if quarter < 2:
        return ["too few samples to say anything"]
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]

    def grown(of: Callable[[Sample], float], allowed: Callable[[float], float], what: str, unit: float = 1.0) -> str:
        before, after = statistics.median(map(of, early)), statistics.median(map(of, late))
        return f"{what}: {before / unit:.1f} → {after / unit:.1f}" if after > allowed(before) else ""

    found = (
        grown(lambda each: each.memory, lambda was: was * (1 + MEMORY_SHARE) + MEMORY_LEEWAY, "memory, MiB", 1 << 20),
        grown(lambda each: each.descriptors, lambda was: was + DESCRIPTOR_LEEWAY, "descriptors"),
        grown(lambda each: each.latency, lambda was: was * LATENCY_FACTOR + LATENCY_LEEWAY, "latency, ms", 1e-3),
    )
    return [each for each in found if each]
