"""The bars edge is held to: the peer's CPU time a request divided by edge's, in one run, on one core, at its defaults."""

from __future__ import annotations

from msgspec import Struct

from benchmarks.results import Comparison
from benchmarks.statistics import median_ratio


class Bar(Struct, frozen=True):
    """`least` is the ratio that edge must reach against each peer."""

    key: str
    protocol: str
    contender: str
    least: dict[str, float]


BARS = (
    Bar("proxied-1k", "http/1.1", "edge", {"nginx": 0.7, "caddy": 2.5}),
    Bar("proxied-1k", "h2", "edge", {"nginx": 0.7, "caddy": 5.0}),
    Bar("proxied-1k", "h2", "edge-h2", {"nginx": 0.25, "caddy": 1.8}),
    Bar("static-1k", "http/1.1", "edge", {"nginx": 0.8, "caddy": 3.0}),
    Bar("static-1k", "h2", "edge", {"nginx": 1.2, "caddy": 12.0}),
    Bar("static-1m", "http/1.1", "edge", {"nginx": 0.9, "caddy": 1.0}),
    Bar("static-1m", "h2", "edge", {"nginx": 0.9, "caddy": 1.0}),
    Bar("full-handshake", "http/1.1", "edge", {"nginx": 0.7, "caddy": 0.9}),
)

IDLE_BAR = 20.0
"""KiB of an idle TLS connection."""

LOG_BAR = 0.15
"""What the access log may add to the CPU time of a request."""


def cpu_ratio(comparison: Comparison, contender: str, peer: str) -> float | None:
    """Median over rounds of the peer's CPU time a request divided by the contender's; None when one did not take part."""
    ours, theirs = comparison.entry(contender), comparison.entry(peer)
    if not ours or not theirs:
        return None
    return median_ratio(theirs.cpu_per_request, ours.cpu_per_request)


def bar_for(comparison: Comparison, contender: str, peer: str) -> float | None:
    """The ratio that is asked for here, if any."""
    for bar in BARS:
        if (bar.key, bar.protocol, bar.contender) == (comparison.key, comparison.protocol, contender):
            return bar.least.get(peer)
    return None
