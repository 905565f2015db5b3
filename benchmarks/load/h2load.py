"""h2load: HTTP/2 at full speed, and either protocol at a fixed rate.

It says when its warm-up ends and when the measured time is over, line by line, so the server's CPU clock is read at
exactly those moments: handshakes and the first requests are not counted. It does not reconnect. A connection that the
server ends (edge and nginx allow a bounded number of requests each) stops loading, which `parse_h2load` refuses to
overlook.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from threading import Timer

from benchmarks.cores import Cores
from benchmarks.errors import GeneratorDied, LoadFailed
from benchmarks.load.work import Latency, Report, Work
from benchmarks.servers.running import Running
from benchmarks.statistics import percentile

WARM_UP = 1
"""Seconds of load before the measurement; 5,000 connections take longer, see `warm_up_seconds`."""

CONNECTIONS_A_SECOND = 500
"""How many handshakes a slow server finishes in a second beside its clients' half of the work."""

GRACE = 30.0
"""Seconds that h2load may take longer than it was told, before it counts as stuck."""

ATTEMPTS = 3

BEGIN = "Main benchmark duration is started"
END = "Main benchmark duration is over"
LOST = "Process Request Failure"

TOTALS = re.compile(
    r"requests: \d+ total, \d+ started, (\d+) done, \d+ succeeded, (\d+) failed, (\d+) errored, (\d+) timeout"
)
STATUS = re.compile(r"status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx")


def warm_up_seconds(connections: int) -> int:
    """Long enough that all connections are open before the measurement begins."""
    return WARM_UP + connections // CONNECTIONS_A_SECOND


def h2load_command(work: Work, base: str, protocol: str, seconds: int, log: Path | None) -> tuple[str, ...]:
    """h2load's command line; `log` is where it writes a line for each request."""
    command = ["h2load", "-t1", "-c", str(work.connections), "-m", str(work.streams), "-D", str(seconds)]
    command += ["--warm-up-time", str(warm_up_seconds(work.connections))]
    command += ["--h1"] if protocol == "http/1.1" else []
    command += ["--rps", f"{work.rate / work.connections:g}"] if work.rate else []
    command += [part for name, value in work.fields for part in ("-H", f"{name.lower()}: {value}")]
    command += ["-H", f"cookie: {work.cookies[0]}"] if work.cookies else []
    command += ["-d", str(work.body)] if work.body else []
    command += ["--log-file", str(log)] if log else []
    return (*command, *(base + path for path in work.paths))


def parse_h2load(text: str) -> tuple[int, int]:
    """(requests, failures) of the measured time. Raises: LoadFailed.

    A response with another status than 2xx is a failure. `errored` is a part of `failed`. The number of 2xx is no use:
    it includes the warm-up's last ones."""
    totals, status = TOTALS.search(text), STATUS.search(text)
    if not totals or not status:
        raise LoadFailed(f"h2load did not print its totals:\n{text}")
    if lost := text.count(LOST):
        raise LoadFailed(
            f"the server ended {lost} of h2load's connections: the run has to be shorter or use more of them"
        )
    if totals[1] == "0":
        raise LoadFailed("not one request was answered in the measured time")
    done, failed, _errored, timed_out = map(int, totals.groups())
    return done, failed + timed_out + sum(map(int, status.groups()))


def parse_latencies(lines: Iterable[str]) -> list[float]:
    """Sorted seconds from h2load's log: start time, status and duration in microseconds, separated by tabs."""
    return sorted(int(line.split("\t")[2]) / 1e6 for line in lines)


def latency_of(durations: list[float]) -> Latency | None:
    """The percentiles of sorted durations; None when there are none."""
    if not durations:
        return None
    return Latency(*(percentile(durations, share) for share in (0.5, 0.9, 0.99, 0.999)))


def run_h2load(work: Work, server: Running, cores: Cores, protocol: str, seconds: int) -> Report:
    """Load the server. h2load itself sometimes dies while it stops its connections, after the measured time and before it
    prints its totals: such a run is done again. Raises: LoadFailed."""
    for _ in range(ATTEMPTS - 1):
        with suppress(GeneratorDied):
            return _run_once(work, server, cores, protocol, seconds)
    return _run_once(work, server, cores, protocol, seconds)


def _run_once(work: Work, server: Running, cores: Cores, protocol: str, seconds: int) -> Report:
    with tempfile.NamedTemporaryFile("r") as file:
        log = Path(file.name) if work.rate else None
        base = f"https://localhost:{server.port}"
        command = cores.pinned(h2load_command(work, base, protocol, seconds, log), cores.load)
        marks: dict[str, float] = {}

        def note(line: str) -> None:
            if mark := next((mark for mark in (BEGIN, END) if line.startswith(mark)), None):
                marks[mark] = server.cpu_seconds()

        text, status = _listen(command, warm_up_seconds(work.connections) + seconds + GRACE, note)
        latency = latency_of(parse_latencies(file)) if log else None
    if status or marks.keys() != {BEGIN, END}:
        raise GeneratorDied(f"h2load against {server.name} ended with status {status}:\n{text}")
    requests, failures = parse_h2load(text)
    return Report(requests, float(seconds), failures, marks[END] - marks[BEGIN], latency)


def _listen(command: tuple[str, ...], limit: float, note: Callable[[str], None]) -> tuple[str, int]:
    """What a command says, each line given to `note` at once, and its exit status. It is killed after `limit` seconds."""
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        timer = Timer(limit, process.kill)
        timer.start()
        try:
            for line in process.stdout:
                note(line)
                lines.append(line)
            return "".join(lines), process.wait()
        finally:
            timer.cancel()
            process.kill()
