"""Tables, plots, the page and the JSON file."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.machine import LOAD
from benchmarks.report.bars import bar_for, cpu_ratio
from benchmarks.report.page import make_page, make_plots, missed_bars, write_report
from benchmarks.report.svg import Scale, bar_chart, label_positions, line_chart
from benchmarks.report.tables import curve_table, detail_table, latency_table, log_table, number, ratio_table, table
from benchmarks.results import Curve, Line, Results
from tests.benchmarks.samples import AT_RATE, GROWTH, LOG, PROXIED, RESULTS, STATIC

SVG = "{http://www.w3.org/2000/svg}"


def test_a_table_aligns_numbers_right() -> None:
    """The first column is text, all others are numbers."""
    assert table(("a", "b"), [("x", "1")]) == "| a | b |\n|---|---:|\n| x | 1 |\n"


@pytest.mark.parametrize(("value", "words"), [(1234.5, "1,234"), (99.44, "99.4"), (1.234, "1.23")])
def test_numbers_have_three_figures(value: float, words: str) -> None:
    """More would pretend a precision that nobody has."""
    assert number(value) == words


def test_the_ratio_is_the_peers_time_divided_by_ours() -> None:
    """Twenty to twenty and eleven to twenty-two: 1.0 and 0.5, median 0.75."""
    assert cpu_ratio(PROXIED, "edge", "nginx") == pytest.approx(0.75)
    assert cpu_ratio(PROXIED, "edge", "caddy") is None


def test_bars_belong_to_a_scenario_a_protocol_and_an_engine() -> None:
    """The same scenario has another bar over HTTP/2, and another one for each engine."""
    assert bar_for(PROXIED, "edge", "nginx") == 0.7
    assert bar_for(STATIC, "edge", "caddy") == 12
    assert bar_for(STATIC, "edge-h2", "caddy") is None


def test_a_missed_bar_is_bold_and_named() -> None:
    """The idle connection's 21 KiB are above 20; everything else is reached."""
    assert list(missed_bars(RESULTS)) == ["memory of each of 5,000 idle TLS connections: 21.0 KiB, at most 20"]
    slow = msgspec.structs.replace(PROXIED, entries=(PROXIED.entries[1], PROXIED.entries[0]))
    slow = msgspec.structs.replace(
        slow,
        entries=tuple(
            msgspec.structs.replace(each, name=name) for each, name in zip(slow.entries, ("edge", "nginx"), strict=True)
        ),
    )
    assert "0.75" not in ratio_table([slow])
    slower = msgspec.structs.replace(PROXIED, key="static-1m")
    assert "**0.75** (≥ 0.9)" in ratio_table([slower])


def test_both_engines_have_a_row() -> None:
    """HTTP/2 is compared once for each engine, HTTP/1.1 once."""
    rows = ratio_table([PROXIED, STATIC]).splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == [
        "proxied 1 KB, HTTP/1.1",
        "static 1 KiB, HTTP/2 (ngh2)",
        "static 1 KiB, HTTP/2 (h2)",
    ]


def test_failures_have_a_column_where_there_are_any() -> None:
    """A server that fails fast must not look fast."""
    assert "failed" in detail_table(STATIC)
    assert "| 6 |" in detail_table(STATIC)
    assert "failed" not in detail_table(PROXIED)


def test_latencies_are_milliseconds() -> None:
    """Four percentiles for each contender."""
    assert "| edge | 1.00 | 2.00 | 3.00 | 4.00 |" in latency_table(AT_RATE)


def test_the_log_table_shows_what_the_log_adds() -> None:
    """Ten and eleven microseconds: ten per cent."""
    assert "| static 1 KiB | +10% | – |" in log_table([LOG])


def test_a_curve_table_leaves_gaps() -> None:
    """A contender that was not measured at one x has a dash there."""
    assert "| 10,000 | 900 | – |" in curve_table(GROWTH)


def test_plots_are_well_formed() -> None:
    """Every plot is XML, has a title, and carries its words escaped."""
    for name, text in make_plots(RESULTS):
        root = ET.fromstring(text)
        assert root.tag == f"{SVG}svg", name
        assert root.find(f"{SVG}title") is not None
    assert "Names &lt;&amp;&gt;" in line_chart(GROWTH, {})


def test_the_longest_bar_of_a_group_is_full_and_others_are_shares() -> None:
    """Groups have scales of their own, so a slow scenario does not flatten the others."""
    root = ET.fromstring(bar_chart("t", {"g": {"edge": 5.0, "nginx": 10.0}, "h": {"edge": 1000.0}}, {}))
    widths = [float(bar.attrib["width"]) for bar in root.findall(f"{SVG}rect[@rx]")]
    assert widths[0] == pytest.approx(widths[1] / 2)
    assert widths[1] == widths[2]


def test_a_curve_without_points_is_still_a_plot() -> None:
    """When everybody was skipped the plot says so."""
    assert "nothing was measured" in line_chart(Curve("k", "t", "x", "y", ()), {})
    single = Curve("k", "t", "x", "y", (Line("edge", ((1, 0.0),)),))
    ET.fromstring(line_chart(single, {}))


def test_scales_map_ends_to_ends() -> None:
    """A logarithmic scale puts 10 half way between 1 and 100; a linear one begins at nought."""
    logarithmic = Scale([1, 100], 0, 200, logarithmic=True)
    assert (logarithmic(1), logarithmic(10), logarithmic(100)) == (0, 100, 200)
    assert logarithmic.ticks() == [1, 10, 100]
    linear = Scale([50], 300, 0, logarithmic=False)
    assert (linear(0), linear(50)) == (300, 0)
    assert linear.ticks() == [0, 10, 20, 30, 40, 50]


@given(st.floats(1e-6, 1e9))
def test_a_linear_scale_has_a_few_ticks_for_any_value(high: float) -> None:
    """At least two, at most nine, none beyond the scale's end."""
    ticks = Scale([high], 300, 0, logarithmic=False).ticks()
    assert 2 <= len(ticks) <= 9
    assert ticks[-1] <= high * (1 + 1e-9)


def test_labels_do_not_cover_each_other() -> None:
    """Labels at nearly the same height are moved apart and keep their order."""
    assert label_positions([100.0, 101.0, 50.0]) == [100.0, 116.0, 50.0]


def test_the_page_holds_all_sections() -> None:
    """What was measured and what was not, how, on what, by which commands."""
    page = make_page(RESULTS, dict(make_plots(RESULTS)))
    for words in (
        "## In short",
        "## Latency",
        "## Memory",
        "## How cost grows",
        "names: too many",
        "## Noise",
        "a processor",
    ):
        assert words in page
    assert page.count("\n## ") == len({line for line in page.splitlines() if line.startswith("## ")})


def test_a_busy_machine_is_named_at_the_top() -> None:
    """Figures that were taken beside other work say so before anything else."""
    machine = {LOAD: "3.10 1.00 0.50"}
    assert "busy with other work" in make_page(msgspec.structs.replace(RESULTS, machine=machine), {}).partition("##")[0]
    assert "busy with other work" not in make_page(RESULTS, {})


def test_results_survive_json(tmp_path: Path) -> None:
    """The page can be made again from the file."""
    (tmp_path / "old.svg").write_text("")
    write_report(RESULTS, tmp_path)
    assert msgspec.json.decode((tmp_path / "results.json").read_bytes(), type=Results) == RESULTS
    assert not (tmp_path / "old.svg").exists()
    assert all(f"({path.name})" in (tmp_path / "README.md").read_text() for path in tmp_path.glob("*.svg"))
