"""How long to wait before looking at an order or authorization again. Let's Encrypt sends no Retry-After there; others do."""

from __future__ import annotations

import random
from collections.abc import Iterator

FIRST_WAITS = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0)
"""Seconds. Most validations are over within two looks."""

EVERY = 10.0
"""Seconds between all later looks."""

JITTER = 0.2
"""Share by which a wait of our own varies, so that many orders do not look at once."""

SHORTEST, LONGEST = 0.5, 60.0
"""Seconds. A CA's Retry-After is believed between these."""


def own_waits(randomness: random.Random) -> Iterator[float]:
    """Waits in seconds, without end, for a CA that says nothing."""
    while_fast = iter(FIRST_WAITS)
    while True:
        yield next(while_fast, EVERY) * randomness.uniform(1 - JITTER, 1 + JITTER)


def wait_for(own: float, retry_after: float | None, now: float) -> float:
    """The next wait: what the CA asked for in its last reply (a POSIX time), else our own."""
    return own if retry_after is None else min(max(retry_after - now, SHORTEST), LONGEST)
