"""wrk's command line and its words."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.errors import LoadFailed
from benchmarks.load.requests import SEPARATOR, is_uniform, request_bytes, request_file
from benchmarks.load.work import Work
from benchmarks.load.wrk import SCRIPT, parse_wrk, wrk_command

QUIET = """Running 2s test @ https://localhost:7443/static/1k.bin
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.05ms    1.83ms  29.33ms   85.22%
    Req/Sec    16.46k     3.36k   20.81k    75.00%
  32999 requests in 2.02s, 41.89MB read
Requests/sec:  16355.20
Transfer/sec:     20.76MB
"""
TROUBLED = QUIET.replace(
    "Requests/sec",
    "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 90\nRequests/sec",
)


def test_totals_are_read() -> None:
    """Requests and seconds come from the line of totals, not from the rounded rate."""
    assert parse_wrk(QUIET) == (32999, 2.02, 0)


def test_every_kind_of_trouble_counts_as_a_failure() -> None:
    """Socket errors of all four kinds and wrong statuses add up."""
    assert parse_wrk(TROUBLED) == (32999, 2.02, 100)


@pytest.mark.parametrize(("words", "seconds"), [("500.00ms", 0.5), ("1.50m", 90.0), ("900.00us", 0.0009)])
def test_units_of_time_are_understood(words: str, seconds: float) -> None:
    """wrk chooses the unit of its duration by its size."""
    assert parse_wrk(QUIET.replace("2.02s", words))[1] == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "unable to connect to localhost:1 Connection refused\n"])
def test_words_without_totals_are_an_error(text: str) -> None:
    """A run that did not happen is not a run with nought requests."""
    with pytest.raises(LoadFailed, match="totals"):
        parse_wrk(text)


def test_a_run_without_an_answer_is_an_error() -> None:
    """There is no cost a request when there was no request."""
    with pytest.raises(LoadFailed, match="not one request"):
        parse_wrk(QUIET.replace("32999 requests", "0 requests"))


def test_uniform_work_needs_no_script() -> None:
    """wrk is fastest when it makes its one request itself."""
    work = Work(paths=("/",), connections=32, fields=(("Accept", "*/*"),))
    assert is_uniform(work)
    command = wrk_command(work, "https://localhost:1/", 3, None)
    assert command[-3:] == ("-H", "Accept: */*", "https://localhost:1/")
    assert command[command.index("-d") + 1] == "3s"


def test_varied_work_is_read_from_a_file() -> None:
    """Requests that differ come from a file, by the script beside the module."""
    work = Work(paths=("/a", "/b"), connections=32)
    assert not is_uniform(work)
    command = wrk_command(work, "https://localhost:1/a", 3, Path("/tmp/requests"))
    assert command[-5:] == ("-s", str(SCRIPT), "https://localhost:1/a", "--", "/tmp/requests")
    assert SCRIPT.is_file()


def test_a_request_file_takes_paths_and_cookies_in_turn() -> None:
    """With cookies that differ there are many requests, and each has the next path and the next cookie."""
    work = Work(paths=("/a", "/b"), connections=1, cookies=("c=1", "c=2", "c=3"))
    first, second, *_rest, _last = requests = request_file(work, "localhost").split(SEPARATOR)
    assert first == b"GET /a HTTP/1.1\r\nHost: localhost\r\nCookie: c=1\r\n\r\n"
    assert second == b"GET /b HTTP/1.1\r\nHost: localhost\r\nCookie: c=2\r\n\r\n"
    assert len(set(requests)) == 6


def test_a_body_makes_a_post_with_its_length(tmp_path: Path) -> None:
    """An upload says how long it is, and its bytes follow the head."""
    body = tmp_path / "body"
    body.write_bytes(b"xyz")
    work = Work(paths=("/upload",), connections=1, body=body)
    assert request_file(work, "h") == b"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz"
    assert request_bytes("/", "h", ()).endswith(b"\r\n\r\n")
