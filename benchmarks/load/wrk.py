"""wrk: as many HTTP/1.1 requests as the server answers, for a number of seconds.

It is the fastest HTTP/1.1 client there is, and it opens its connections inside the measured time: with 32 of them that is
about one per cent of a run, the same for everybody.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from benchmarks.cores import Cores
from benchmarks.errors import LoadFailed
from benchmarks.load.requests import is_uniform, request_file
from benchmarks.load.work import Report, Work
from benchmarks.servers.running import Running

SCRIPT = Path(__file__).with_name("requests.lua")
GRACE = 30.0
"""Seconds that wrk may take longer than it was told, before it counts as stuck."""

DURATION_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
TOTALS = re.compile(r"(\d+) requests in ([\d.]+)(us|ms|s|m|h),")
BAD_STATUS = re.compile(r"Non-2xx or 3xx responses: (\d+)")
SOCKET_ERRORS = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")


def wrk_command(work: Work, url: str, seconds: int, requests: Path | None) -> tuple[str, ...]:
    """wrk's command line; `requests` names the file for work whose requests differ."""
    fields = [part for name, value in work.fields for part in ("-H", f"{name}: {value}")]
    command = ("wrk", "-t1", "-c", str(work.connections), "-d", f"{seconds}s", "--timeout", "10s")
    if requests is None:
        return (*command, *fields, url)
    return (*command, "-s", str(SCRIPT), url, "--", str(requests))


def parse_wrk(text: str) -> tuple[int, float, int]:
    """(requests, seconds, failures) from what wrk prints. Raises: LoadFailed."""
    totals = TOTALS.search(text)
    if not totals:
        raise LoadFailed(f"wrk did not print its totals:\n{text}")
    if totals[1] == "0":
        raise LoadFailed("not one request was answered in the measured time")
    failures = sum(map(int, errors.groups())) if (errors := SOCKET_ERRORS.search(text)) else 0
    failures += int(status[1]) if (status := BAD_STATUS.search(text)) else 0
    return int(totals[1]), float(totals[2]) * DURATION_UNITS[totals[3]], failures


def run_wrk(work: Work, server: Running, cores: Cores, seconds: int) -> Report:
    """Load the server. Raises: LoadFailed."""
    authority = f"localhost:{server.port}"
    with tempfile.NamedTemporaryFile() as file:
        requests = None
        if not is_uniform(work):
            file.write(request_file(work, authority))
            file.flush()
            requests = Path(file.name)
        command = cores.pinned(wrk_command(work, f"https://{authority}{work.paths[0]}", seconds, requests), cores.load)
        before = server.cpu_seconds()
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + GRACE, check=False)
        used = server.cpu_seconds() - before
    if done.returncode:
        raise LoadFailed(f"wrk against {server.name}: {done.stderr or done.stdout}")
    requests_done, took, failures = parse_wrk(done.stdout)
    return Report(requests_done, took, failures, used)
