"""What a run found, as values that go to JSON as they are."""

from __future__ import annotations

from msgspec import Struct

from benchmarks.load.work import Report


class Entry(Struct, frozen=True):
    """One contender in one comparison; `reports` are in order of rounds."""

    name: str
    reports: tuple[Report, ...]
    origin_cpu: tuple[float, ...] = ()
    """CPU seconds of the application server behind it, round by round, where one is measured."""

    @property
    def rates(self) -> list[float]:
        """Requests a second, round by round."""
        return [report.rate for report in self.reports]

    @property
    def cpu_per_request(self) -> list[float]:
        """CPU seconds a request of all the server's processes, round by round."""
        return [report.cpu_each for report in self.reports]

    @property
    def failures(self) -> int:
        """Of all rounds."""
        return sum(report.failures for report in self.reports)


class Comparison(Struct, frozen=True):
    """The same work for every contender, in alternating rounds."""

    key: str
    title: str
    protocol: str
    """`http/1.1` or `h2`."""
    unit: str
    """What one of the counted things is: `request`, `handshake`, `page`."""
    rate: int | None
    """The fixed rate, or None at full speed."""
    entries: tuple[Entry, ...]
    has_own_rate: bool = True
    """Whether requests a second say something about the servers (not where our own client is the slower one)."""

    def entry(self, name: str) -> Entry | None:
        """The contender of that name, if it took part."""
        return next((entry for entry in self.entries if entry.name == name), None)


class Line(Struct, frozen=True):
    """One contender's values; `points` are (x, y)."""

    name: str
    points: tuple[tuple[float, float], ...]


class Curve(Struct, frozen=True):
    """How something grows."""

    key: str
    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    note: str = ""


class Reading(Struct, frozen=True):
    """A single number for each contender."""

    key: str
    title: str
    unit: str
    values: dict[str, float]


class Results(Struct, frozen=True, kw_only=True):
    """Everything one run found, and what one needs to know to believe it."""

    date: str
    """UTC, ISO 8601."""
    minutes: float
    command: str
    quick: bool
    rounds: int
    seconds: int
    """Of each measurement."""
    machine: dict[str, str]
    versions: dict[str, str]
    commands: dict[str, str]
    """Contender → its command line."""
    comparisons: tuple[Comparison, ...]
    readings: tuple[Reading, ...]
    curves: tuple[Curve, ...]
    skipped: tuple[str, ...] = ()
    """What did not work, one sentence each."""
