"""The page `docs/benchmarks/README.md`, its plots, and `results.json`: written by the suite, never by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.contenders import CONTENDERS
from benchmarks.report import method
from benchmarks.report.bars import BARS, IDLE_BAR, bar_for, cpu_ratio
from benchmarks.report.svg import bar_chart, line_chart
from benchmarks.report.tables import (
    MICRO,
    curve_table,
    detail_table,
    label,
    latency_table,
    log_table,
    name_of,
    ratio_table,
    reading_table,
)
from benchmarks.results import Comparison, Results

LABELS = {name: contender.label for name, contender in CONTENDERS.items()}


def write_report(results: Results, directory: Path) -> None:
    """Replace everything in `directory` that a run makes; the results first, so that no fault in a plot can lose them."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "results.json").write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    for old in directory.glob("*.svg"):
        old.unlink()
    plots = dict(make_plots(results))
    for name, text in plots.items():
        (directory / name).write_text(text)
    (directory / "README.md").write_text(make_page(results, plots))


def make_plots(results: Results) -> Iterator[tuple[str, str]]:
    """(file name, SVG) of every plot."""
    full_speed = speed_comparisons(results)
    for protocol, suffix in (("http/1.1", "http1"), ("h2", "http2")):
        chosen = [comparison for comparison in full_speed if comparison.protocol == protocol]
        chosen = [comparison for comparison in chosen if comparison.unit == "request"]
        if chosen:
            groups = {each.title: _cpu_medians(each) for each in chosen}
            yield (
                f"cpu-{suffix}.svg",
                bar_chart(f"CPU µs a request, {name_of(chosen[0])}: shorter is better", groups, LABELS),
            )
    for curve in results.curves:
        yield f"growth-{curve.key}.svg", line_chart(curve, LABELS)


def _cpu_medians(comparison: Comparison) -> dict[str, float]:
    return {entry.name: median(entry.cpu_per_request) * MICRO for entry in comparison.entries}


def speed_comparisons(results: Results) -> list[Comparison]:
    """Those at full speed, between servers (not between a server and itself with a log)."""
    return [each for each in results.comparisons if each.rate is None and not each.key.startswith("log-")]


def make_page(results: Results, plots: dict[str, str]) -> str:
    """The whole page."""
    sections = [method.introduction(results), *_bars(results), *_speed(results, plots), *_latency(results)]
    sections += [*_memory(results), *_log(results), *_growth(results), *_skipped(results), method.explanation(results)]
    return "\n".join(section.rstrip() + "\n" for section in sections)


def _bars(results: Results) -> Iterator[str]:
    chosen = [each for each in speed_comparisons(results) if each.unit != "page"]
    if chosen:
        yield "## In short\n\n" + method.RATIOS + "\n\n" + ratio_table(chosen)
        yield _verdict(results)


def _verdict(results: Results) -> str:
    missed = list(missed_bars(results))
    if not missed:
        return "Every bar that was measured in this run is reached.\n"
    return "Below its bar in this run:\n\n" + "\n".join(f"- {each}" for each in missed) + "\n"


def missed_bars(results: Results) -> Iterator[str]:
    """One sentence for each bar that is not reached."""
    for comparison in results.comparisons:
        for bar in BARS:
            for peer in bar.least:
                least = bar_for(comparison, bar.contender, peer) if bar.key == comparison.key else None
                ratio = cpu_ratio(comparison, bar.contender, peer)
                if least is not None and bar.protocol == comparison.protocol and ratio is not None and ratio < least:
                    what = f"{comparison.title}, {name_of(comparison)}, {label(bar.contender)}"
                    yield f"{what}: {ratio:.2f} of {label(peer)}, to reach {least:g}"
    for reading in results.readings:
        if reading.key == "memory-idle" and reading.values.get("edge", 0) > IDLE_BAR:
            yield f"{reading.title}: {reading.values['edge']:.1f} KiB, at most {IDLE_BAR:g}"


def _speed(results: Results, plots: dict[str, str]) -> Iterator[str]:
    chosen = speed_comparisons(results)
    if chosen:
        pictures = "".join(f"![CPU time a request]({name})\n\n" for name in plots if name.startswith("cpu-"))
        yield "## Requests, handshakes, pages\n\n" + pictures + "\n".join(map(detail_table, chosen))


def _latency(results: Results) -> Iterator[str]:
    chosen = [each for each in results.comparisons if each.rate is not None]
    if chosen:
        yield "## Latency at a fixed rate\n\n" + method.LATENCY + "\n\n" + "\n".join(map(latency_table, chosen))


def _memory(results: Results) -> Iterator[str]:
    if results.readings:
        yield "## Memory\n\n" + method.MEMORY + "\n\n" + reading_table(results.readings)


def _log(results: Results) -> Iterator[str]:
    chosen = [each for each in results.comparisons if each.key.startswith("log-")]
    if chosen:
        yield "## Access log\n\n" + log_table(chosen)


def _growth(results: Results) -> Iterator[str]:
    if results.curves:
        yield "## How cost grows\n"
    for curve in results.curves:
        yield f"### {curve.title}\n\n{curve.note}\n\n![{curve.title}](growth-{curve.key}.svg)\n\n{curve_table(curve)}"


def _skipped(results: Results) -> Iterator[str]:
    if results.skipped:
        yield "## What was not measured\n\n" + "\n".join(f"- {each}" for each in results.skipped) + "\n"
