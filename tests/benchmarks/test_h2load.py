"""h2load's command line, its words and its log."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.errors import LoadFailed
from benchmarks.load.h2load import h2load_command, latency_of, parse_h2load, parse_latencies, warm_up_seconds
from benchmarks.load.work import Latency, Work

QUIET = """Main benchmark duration is started for thread #0.
Main benchmark duration is over for thread #0. Stopping all clients.

finished in 3.00s, 24310.00 req/s, 25.09MB/s
requests: 48620 total, 48520 started, 48620 done, 48620 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 48703 2xx, 0 3xx, 0 4xx, 0 5xx
"""


def test_totals_are_those_of_the_measured_time() -> None:
    """Requests of the warm-up, which the 2xx line still counts, are neither requests nor failures."""
    assert parse_h2load(QUIET) == (48620, 0)


def test_wrong_statuses_and_lost_responses_are_failures() -> None:
    """Whatever is not a 2xx response counts once."""
    text = QUIET.replace("0 failed, 0 errored, 0 timeout", "5 failed, 3 errored, 2 timeout").replace("0 5xx", "10 5xx")
    assert parse_h2load(text) == (48620, 17)


def test_a_connection_that_the_server_ended_spoils_the_run() -> None:
    """h2load opens no other connection, so the load would shrink unnoticed."""
    with pytest.raises(LoadFailed, match="2 of h2load's connections"):
        parse_h2load("Process Request Failure:1\nProcess Request Failure:2\n" + QUIET)


def test_words_without_totals_are_an_error() -> None:
    """A run that did not happen is not a run with nought requests."""
    with pytest.raises(LoadFailed, match="totals"):
        parse_h2load("client could not connect to host\n")


def test_a_run_without_an_answer_is_an_error() -> None:
    """There is no cost a request when there was no request."""
    with pytest.raises(LoadFailed, match="not one request"):
        parse_h2load(QUIET.replace("48620 done", "0 done"))


def test_a_rate_is_given_to_h2load_for_each_connection() -> None:
    """`rate` is for all connections, `--rps` for one."""
    work = Work(paths=("/",), connections=32, streams=4, rate=2500)
    command = h2load_command(work, "https://localhost:1", "h2", 2, Path("/tmp/log"))
    assert command[command.index("--rps") + 1] == "78.125"
    assert command[command.index("--log-file") + 1] == "/tmp/log"
    assert "--h1" not in command


def test_every_path_becomes_an_address() -> None:
    """h2load takes its addresses in turn; field names are lower case (RFC 9113 §8.2)."""
    work = Work(paths=("/a", "/b"), connections=1, fields=(("Accept", "*/*"),), cookies=("c=1", "c=2"))
    command = h2load_command(work, "https://localhost:1", "http/1.1", 2, None)
    assert command[-2:] == ("https://localhost:1/a", "https://localhost:1/b")
    assert "--h1" in command
    assert {"accept: */*", "cookie: c=1"} <= set(command)


def test_many_connections_get_a_longer_warm_up() -> None:
    """All handshakes are over before the measurement begins."""
    assert warm_up_seconds(32) == 1
    assert warm_up_seconds(5000) == 11


def test_latencies_are_sorted_seconds() -> None:
    """The third column of the log, in microseconds."""
    log = ["1795357292600219\t200\t3452\n", "1795357292600632\t200\t1000\n"]
    assert parse_latencies(log) == [0.001, 0.003452]


def test_percentiles_are_measured_values() -> None:
    """Nearest rank: no value between two measured ones is made up."""
    assert latency_of([n / 1000 for n in range(1, 1001)]) == Latency(0.5, 0.9, 0.99, 0.999)
    assert latency_of([]) is None
