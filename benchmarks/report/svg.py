"""Bars and lines as SVG, written by hand: two kinds of plot do not need a library.

Colours are readable on light and dark pages; every bar carries its number, so nothing depends on telling colours apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import floor, log10

from benchmarks.results import Curve

COLOURS = {"edge": "#2563eb", "edge-h2": "#7aa2f7", "nginx": "#15803d", "caddy": "#d97706"}
OTHER_COLOUR = "#6b7280"
FONT = "font-family='system-ui, sans-serif' font-size='13'"
WIDTH = 760


def document(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    """A whole file: a white page, so that it can be read in dark viewers too."""
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' height='{height}' "
        f"role='img' {FONT}>\n<title>{escape(title)}</title>\n<rect width='100%' height='100%' fill='#ffffff'/>\n"
        f"<text x='16' y='26' font-size='15' font-weight='600' fill='#111827'>{escape(title)}</text>\n"
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def text(x: float, y: float, words: str, anchor: str = "start", colour: str = "#111827") -> str:
    """One line of text."""
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='{colour}'>{escape(words)}</text>"


def colour_of(name: str) -> str:
    """The same colour for a contender in every plot."""
    return COLOURS.get(name, OTHER_COLOUR)


BAR_HEIGHT = 20
BAR_GAP = 4
GROUP_GAP = 14
LABEL_WIDTH = 210
NUMBER_WIDTH = 90


def bar_chart(title: str, groups: Mapping[str, Mapping[str, float]], labels: Mapping[str, str]) -> str:
    """Horizontal bars: group → contender → value. Each group has its own scale: its longest bar is full."""
    parts, y = [], 44.0
    for group, values in groups.items():
        parts.append(text(16, y + 12, group))
        y += BAR_HEIGHT
        longest = max(values.values(), default=0) or 1
        for name, value in values.items():
            parts += _bar(y, labels.get(name, name), colour_of(name), value, value / longest)
            y += BAR_HEIGHT + BAR_GAP
        y += GROUP_GAP
    return document(WIDTH, round(y), title, parts)


def _bar(y: float, words: str, colour: str, value: float, share: float) -> list[str]:
    width = max(share * (WIDTH - LABEL_WIDTH - NUMBER_WIDTH), 1)
    middle = y + BAR_HEIGHT - 6
    return [
        text(LABEL_WIDTH - 8, middle, words, "end", "#374151"),
        f"<rect x='{LABEL_WIDTH}' y='{y:.1f}' width='{width:.1f}' height='{BAR_HEIGHT}' rx='2' fill='{colour}'/>",
        text(LABEL_WIDTH + width + 6, middle, _short(value)),
    ]


LINE_HEIGHT = 16
MOST_TICKS = 8
LEFT, RIGHT, TOP, BOTTOM, HEIGHT = 70, 170, 50, 50, 340


def line_chart(curve: Curve, labels: Mapping[str, str]) -> str:
    """A curve with a logarithmic x axis and a y axis from zero (logarithmic where values differ by more than 30 times)."""
    points = [point for line in curve.lines for point in line.points]
    if not points:
        return document(WIDTH, HEIGHT, curve.title, [text(16, 60, "nothing was measured")])
    horizontal = Scale([x for x, _ in points], LEFT, WIDTH - RIGHT, logarithmic=True)
    vertical = Scale([y for _, y in points], HEIGHT - BOTTOM, TOP, logarithmic=_differ_widely([y for _, y in points]))
    parts = _axes(curve, horizontal, vertical)
    ends = label_positions([vertical(line.points[-1][1]) for line in curve.lines])
    for line, height in zip(curve.lines, ends, strict=True):
        points = [(horizontal(x), vertical(y)) for x, y in line.points]
        parts += _line(labels.get(line.name, line.name), colour_of(line.name), points, height)
    return document(WIDTH, HEIGHT, curve.title, parts)


def label_positions(heights: Sequence[float]) -> list[float]:
    """The same heights, moved down where two labels would cover each other."""
    placed: dict[int, float] = {}
    lowest = float("-inf")
    for position, height in sorted(enumerate(heights), key=lambda pair: pair[1]):
        lowest = placed[position] = max(height, lowest + LINE_HEIGHT)
    return [placed[position] for position in range(len(heights))]


def _differ_widely(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) / min(values) > 30


class Scale:
    """From values to pixels."""

    def __init__(self, values: Sequence[float], start: float, end: float, *, logarithmic: bool) -> None:
        self._start, self._end = start, end
        self.is_logarithmic = logarithmic
        self.values = sorted(set(values))
        self.low = min(values) if logarithmic else 0.0
        self.high = max(values) or 1.0

    def __call__(self, value: float) -> float:
        if self.high == self.low:
            return self._start
        if self.is_logarithmic:
            share = log10(value / self.low) / log10(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self._start + share * (self._end - self._start)

    def ticks(self) -> list[float]:
        """Round values inside the scale."""
        if self.is_logarithmic:
            powers = range(floor(log10(self.low)), floor(log10(self.high)) + 2)
            return [10.0**power for power in powers if self.low <= 10.0**power <= self.high]
        power = 10.0 ** floor(log10(self.high))
        step = next(power * part for part in (0.1, 0.2, 0.5, 1, 2) if self.high / (power * part) <= MOST_TICKS)
        return [step * count for count in range(int(self.high / step) + 1)]


def _axes(curve: Curve, horizontal: Scale, vertical: Scale) -> list[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [text((LEFT + right) / 2, HEIGHT - 12, curve.x_label, "middle"), text(16, 44, _y_words(curve, vertical))]
    parts += [text(horizontal(x), bottom + 18, _short(x), "middle", "#374151") for x in horizontal.values]
    for value in vertical.ticks():
        y = vertical(value)
        parts.append(f"<line x1='{LEFT}' y1='{y:.1f}' x2='{right}' y2='{y:.1f}' stroke='#e5e7eb'/>")
        parts.append(text(LEFT - 8, y + 4, _short(value), "end", "#374151"))
    return parts


def _y_words(curve: Curve, vertical: Scale) -> str:
    return f"{curve.y_label} (logarithmic)" if vertical.is_logarithmic else curve.y_label


def _line(words: str, colour: str, points: Sequence[tuple[float, float]], label_height: float) -> list[str]:
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts = [f"<polyline points='{joined}' fill='none' stroke='{colour}' stroke-width='2'/>"]
    parts += [f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.5' fill='{colour}'/>" for x, y in points]
    return [*parts, text(points[-1][0] + 10, label_height + 4, words, colour=colour)]


def _short(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
