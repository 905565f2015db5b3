"""Small results for the tests of the report."""

from __future__ import annotations

from benchmarks.load.work import Latency, Report
from benchmarks.results import Comparison, Curve, Entry, Line, Reading, Results


def entry(name: str, *micros: float, failures: int = 0) -> Entry:
    """A contender whose rounds took so many CPU µs a request."""
    latency = Latency(0.001, 0.002, 0.003, 0.004)
    return Entry(name, tuple(Report(1000, 1.0, failures, each * 1000 / 1e6, latency) for each in micros))


PROXIED = Comparison(
    "proxied-1k", "proxied 1 KB", "http/1.1", "request", None, (entry("edge", 20, 22), entry("nginx", 20, 11))
)
STATIC = Comparison(
    "static-1k",
    "static 1 KiB",
    "h2",
    "request",
    None,
    (entry("edge", 5, 5), entry("edge-h2", 50, 50), entry("nginx", 10, 10), entry("caddy", 100, 100, failures=3)),
)
AT_RATE = Comparison("latency-proxied", "proxied 1 KB", "h2", "request", 2500, (entry("edge", 20),))
LOG = Comparison(
    "log-static", "static 1 KiB, access log on and off", "http/1.1", "request", None, (entry("edge", 10), entry("edge-log", 11))
)  # fmt: skip
IDLE = Reading("memory-idle", "memory of each of 5,000 idle TLS connections", "KiB", {"edge": 21.0, "nginx": 15.0})
GROWTH = Curve(
    "names",
    "Names <&>",
    "names",
    "MiB",
    (Line("edge", ((1, 10.0), (10000, 900.0))), Line("nginx", ((1, 5.0),))),
    "Note.",
)

RESULTS = Results(
    date="2026-01-02T03:04:05+00:00",
    minutes=12.3,
    command="python -m benchmarks",
    quick=False,
    rounds=2,
    seconds=1,
    machine={"processor": "a processor"},
    versions={"nginx": "1.2.3"},
    commands={"edge": "python -m edge"},
    comparisons=(PROXIED, STATIC, AT_RATE, LOG),
    readings=(IDLE,),
    curves=(GROWTH,),
    skipped=("names: too many",),
)
