"""Markdown tables from results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from benchmarks.contenders import CONTENDERS
from benchmarks.report.bars import LOG_BAR, bar_for, cpu_ratio
from benchmarks.results import Comparison, Curve, Entry, Reading
from benchmarks.statistics import spread

MICRO = 1e6
PEERS = ("nginx", "caddy")
PROTOCOLS = {"http/1.1": "HTTP/1.1", "h2": "HTTP/2"}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are numbers."""
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def label(name: str) -> str:
    """A contender's name for readers."""
    return CONTENDERS[name].label if name in CONTENDERS else name


def number(value: float) -> str:
    """Three figures that matter, thousands separated."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def ratio_cell(comparison: Comparison, contender: str, peer: str) -> str:
    """A ratio, and the bar it has to reach: bold where it does not."""
    ratio = cpu_ratio(comparison, contender, peer)
    if ratio is None:
        return "–"
    least = bar_for(comparison, contender, peer)
    if least is None:
        return f"{ratio:.2f}"
    return f"{ratio:.2f} (≥ {least:g})" if ratio >= least else f"**{ratio:.2f}** (≥ {least:g})"


def ratio_table(comparisons: Sequence[Comparison]) -> str:
    """One row for each comparison and each of edge's engines."""
    rows = [
        (f"{comparison.title}, {name_of(comparison)}{_engine(comparison, entry)}",
         *(ratio_cell(comparison, entry.name, peer) for peer in PEERS))
        for comparison in comparisons
        for entry in comparison.entries
        if entry.name in ("edge", "edge-h2")
    ]  # fmt: skip
    return table(("CPU a request, peer divided by edge", "nginx", "Caddy"), rows)


def name_of(comparison: Comparison) -> str:
    """The protocol for readers; handshakes have none worth naming."""
    return "TLS 1.3" if comparison.unit == "handshake" else PROTOCOLS[comparison.protocol]


def _engine(comparison: Comparison, entry: Entry) -> str:
    if comparison.protocol != "h2":
        return ""
    return " (h2)" if entry.name == "edge-h2" else " (ngh2)"


def detail_table(comparison: Comparison) -> str:
    """Rates and CPU times of one comparison: medians over rounds."""
    head = [f"{comparison.title}, {name_of(comparison)}"]
    head += [f"{comparison.unit}s/s"] if comparison.has_own_rate else []
    head += [f"CPU µs a {comparison.unit}", "±"]
    head += ["gunicorn's µs"] if any(entry.origin_cpu for entry in comparison.entries) else []
    head += ["failed"] if any(entry.failures for entry in comparison.entries) else []
    return table(head, [_detail_row(comparison, entry, head) for entry in comparison.entries])


def _detail_row(comparison: Comparison, entry: Entry, head: Sequence[str]) -> list[str]:
    row = [label(entry.name)]
    row += [number(median(entry.rates))] if comparison.has_own_rate else []
    row += [number(median(entry.cpu_per_request) * MICRO), f"{spread(entry.cpu_per_request):.0%}"]
    if "gunicorn's µs" in head:
        shares = zip(entry.origin_cpu, entry.reports, strict=True)
        row.append(number(median(used / report.requests for used, report in shares) * MICRO))
    if "failed" in head:
        row.append(f"{entry.failures:,}")
    return row


def latency_table(comparison: Comparison) -> str:
    """Percentiles in milliseconds at a fixed rate: of each percentile the median over rounds."""
    rows = []
    for entry in comparison.entries:
        latencies = [report.latency for report in entry.reports if report.latency]
        if latencies:
            columns = zip(*((each.p50, each.p90, each.p99, each.p999) for each in latencies), strict=True)
            rows.append((label(entry.name), *(f"{median(column) * 1000:.2f}" for column in columns)))
    title = f"{comparison.title}, {name_of(comparison)}, {comparison.rate:,} a second: ms"
    return table((title, "50 %", "90 %", "99 %", "99.9 %"), rows)


def log_table(comparisons: Sequence[Comparison]) -> str:
    """What the access log adds, in per cent of the CPU time without it."""
    rows = []
    for comparison in comparisons:
        cells = []
        for name in ("edge", "nginx"):
            ratio = cpu_ratio(comparison, name, f"{name}-log")
            cells.append("–" if ratio is None else f"{ratio - 1:+.0%}")
        rows.append((comparison.title.partition(",")[0], *cells))
    return table((f"CPU that the access log adds (edge: at most {LOG_BAR:.0%})", "edge", "nginx"), rows)


def reading_table(readings: Sequence[Reading]) -> str:
    """One row for each reading."""
    names = list(dict.fromkeys(name for reading in readings for name in reading.values))
    rows = [
        (
            f"{reading.title}, {reading.unit}",
            *(number(reading.values[name]) if name in reading.values else "–" for name in names),
        )
        for reading in readings
    ]
    return table(("", *map(label, names)), rows)


def curve_table(curve: Curve) -> str:
    """One row for each x."""
    values = {(line.name, x): y for line in curve.lines for x, y in line.points}
    xs = sorted({x for _, x in values})
    names = [line.name for line in curve.lines]
    rows = [(f"{x:,.0f}", *(number(values[name, x]) if (name, x) in values else "–" for name in names)) for x in xs]
    return table((f"{curve.x_label} → {curve.y_label}", *map(label, names)), rows)
