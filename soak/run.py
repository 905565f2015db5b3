"""One soak: an edge with certificates of seconds from Pebble, everybody's traffic, and two parts of equal length.

    stormy    every few seconds a reload, a killed worker or a killed keeper, in turn
    calm      the same traffic and renewals, no deaths: whatever grows now grows in processes that live long

A request may fail only where a process was killed under it, so failures are counted against deaths. Memory, descriptors and
latency are compared within the calm part.
"""

from __future__ import annotations

import itertools
import os
import signal
import statistics
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from msgspec import Struct

from soak.samples import Sample, verdict
from soak.visitors import everybody
from tests.blackbox.acme_site import ISSUED, acme_edge, wait_issued
from tests.blackbox.asking import ask, open_descriptors, wait_until
from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.load import Load
from tests.blackbox.uvicorn_process import UvicornProcess
from tests.pebble import Pebble

NAME: Final = "soak.test"
LIFETIME: Final = 12
"""Seconds of a certificate: it is renewed at half of them."""

MEASUREMENTS: Final = 40
"""Samples at least in the calm part, at most SAMPLE_INTERVAL apart."""

SAMPLE_INTERVAL: Final = 1.0
FAILURES_PER_DEATH: Final = 12
"""More than the clients here have requests in flight at any moment: what one dead worker can cost."""

PAGE: Final = b"a page\n" * 2000


class Report(Struct, frozen=True):
    """What came of it. `complaints` is empty when all was well."""

    answers: dict[str, int]
    reloads: int
    deaths: int
    certificates: int
    failures: tuple[str, ...]
    calm: tuple[Sample, ...]
    complaints: tuple[str, ...]


class Storm:
    """A disturbance every `interval` seconds, in turn."""

    def __init__(self, edge: EdgeProcess) -> None:
        self._edge = edge
        self._turns = itertools.cycle((self._reload, self._kill_worker, self._reload, self._kill_keeper))
        self.reloads = 0
        self.deaths = 0

    def rage(self, until: float, interval: float) -> None:
        """Until that moment (monotonic), and then until everybody is back."""
        while time.monotonic() < until:
            next(self._turns)()
            time.sleep(min(interval, max(0.0, until - time.monotonic())))
        wait_until(lambda: self._edge.keeper() and len(self._edge.workers()) == 2, 60.0, "a whole process tree")

    def _reload(self) -> None:
        self.reloads += 1
        self._edge.process.send_signal(signal.SIGHUP)

    def _kill_worker(self) -> None:
        for worker in self._edge.workers()[:1]:
            self.deaths += 1
            os.kill(worker, signal.SIGKILL)

    def _kill_keeper(self) -> None:
        if keeper := self._edge.keeper():
            os.kill(keeper, signal.SIGKILL)


def soak(directory: Path, seconds: float) -> Report:
    """Live so long in this directory. Raises: AssertionError when edge ends or hangs."""
    (directory / "static").mkdir()
    (directory / "static" / "page.txt").write_bytes(PAGE)
    with ExitStack() as stack:
        application = stack.enter_context(UvicornProcess("soak.application:application"))
        pebble = stack.enter_context(Pebble(profiles={"blink": LIFETIME}))
        flags = ("--domain", NAME, "--upstream", application.address, "--static", f"/static={directory / 'static'}")
        edge = stack.enter_context(acme_edge(directory, pebble, *flags))
        wait_issued(edge)
        loads = everybody(edge.https_port, NAME, PAGE)
        storm = Storm(edge)
        with ExitStack() as traffic:
            for load in loads:
                traffic.enter_context(load)
            begin = time.monotonic()
            storm.rage(begin + seconds / 2, interval=max(2.0, seconds / 60))
            stormy_failures = sum(len(load.failures) for load in loads)
            calm = _observe(edge, seconds / 2)
            for load in loads:
                load.stopped.set()
        return _report(edge, loads, storm, calm, stormy_failures)


def _observe(edge: EdgeProcess, seconds: float) -> tuple[Sample, ...]:
    interval = min(SAMPLE_INTERVAL, seconds / MEASUREMENTS)
    end, samples = time.monotonic() + seconds, []
    while time.monotonic() < end:
        samples.append(_sample(edge))
        time.sleep(interval)
    return tuple(samples)


def _sample(edge: EdgeProcess) -> Sample:
    began = time.monotonic()
    assert ask(edge.https_port, NAME).status == 200
    latency = time.monotonic() - began
    return Sample(edge.memory(), sum(len(open_descriptors(pid)) for pid in edge.processes()), latency)


def _report(
    edge: EdgeProcess, loads: list[Load], storm: Storm, calm: tuple[Sample, ...], stormy_failures: int
) -> Report:
    failures = tuple(f"{type(load).__name__}: {failure}" for load in loads for failure in load.failures)
    complaints = verdict(calm)
    if len(failures) > stormy_failures:
        complaints.append(f"{len(failures) - stormy_failures} requests failed while nothing was killed")
    if stormy_failures > storm.deaths * FAILURES_PER_DEATH:
        complaints.append(f"{stormy_failures} requests failed for {storm.deaths} killed workers")
    complaints += [f"{type(load).__name__}: nothing was answered" for load in loads if not load.answered]
    if "Traceback" in edge.output:
        complaints.append("edge has logged a traceback")
    answers = {f"{type(load).__name__} {load.target}": load.answered for load in loads}
    return Report(answers, storm.reloads, storm.deaths, edge.output.count(ISSUED), failures, calm, tuple(complaints))


def describe(report: Report) -> str:
    """For a person."""
    lines = [f"{count:8} {what}" for what, count in report.answers.items()]
    lines.append(f"{report.reloads} reloads, {report.deaths} killed workers, {report.certificates} certificates")
    lines += [f"failed: {failure}" for failure in report.failures[:20]]
    if len(report.calm) >= 4:
        quarter = len(report.calm) // 4
        for what, part in (("before", report.calm[quarter : 2 * quarter]), ("after", report.calm[-quarter:])):
            memory, descriptors, latency = (
                statistics.median(getattr(each, field) for each in part) for field in Sample.__struct_fields__
            )
            lines.append(
                f"{what}: {memory / (1 << 20):.1f} MiB, {descriptors:.0f} descriptors, {latency * 1000:.1f} ms"
            )
    lines += [f"NOT FLAT: {each}" for each in report.complaints] or ["flat"]
    return "\n".join(lines)
