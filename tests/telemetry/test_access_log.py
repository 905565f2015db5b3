"""The access log."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.telemetry.access_lines import MAX_TARGET, cut, find_unsafe, format_duration, redact_query
from edge.telemetry.access_log import AccessLog
from edge.telemetry.destination import ATOMIC_WRITE
from tests.telemetry.streams import EXCHANGE

NOON = 1_795_348_800.0  # 2026-11-22 12:00 UTC


def test_a_json_line_has_all_values(tmp_path: Path) -> None:
    """One object per exchange; without an origin there is no upstream time."""
    path = tmp_path / "access.log"
    log = AccessLog(str(path), "auto", wall_clock=lambda: NOON)
    log.record(*EXCHANGE)
    log.record(*EXCHANGE, 2.5)
    log.record("2001:db8::1", b"POST", b"example.com:8443", b"/b?c=1", b"1.1", 502, 0, 1.5, 0.25, "f" * 32)
    log.close()
    first, held, second = map(json.loads, path.read_text().splitlines())
    assert first == {
        "time": "2026-11-22T12:00:00Z", "client": "203.0.113.7", "method": "GET", "host": "example.com", "target": "/a",
        "protocol": "HTTP/2", "status": 200, "bytes": 1234, "seconds": 0.008, "request_id": "0" * 32,
    }  # fmt: skip
    assert held == {**first, "held_seconds": 2.5}
    assert (second["upstream_seconds"], second["target"], second["protocol"]) == (0.25, "/b?c=1", "HTTP/1.1")


def test_a_text_line_is_short(tmp_path: Path) -> None:
    """With the date when it goes to a file."""
    path = tmp_path / "access.log"
    log = AccessLog(str(path), "text", wall_clock=lambda: NOON)
    log.record(*EXCHANGE)
    log.close()
    assert path.read_text() == "2026-11-22T12:00:00Z  200  GET  example.com/a  8 ms  1234 B  203.0.113.7  HTTP/2\n"


@given(method=st.binary(max_size=20), authority=st.binary(max_size=40), target=st.binary(max_size=3000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("kind", ["json", "text"])
def test_nothing_a_client_sends_breaks_a_line(
    tmp_path: Path, kind: str, method: bytes, authority: bytes, target: bytes
) -> None:
    """Any bytes give one printable ASCII line, JSON that parses, short enough for one atomic write."""
    path = tmp_path / "access.log"
    path.unlink(missing_ok=True)
    log = AccessLog(str(path), "json" if kind == "json" else "text")
    log.record("::1", method, authority, target, b"1.1", 400, 0, 0.1, -1.0, "")
    log.close()
    data = path.read_bytes()
    assert data.endswith(b"\n")
    assert data[:-1].isascii()
    assert data[:-1].decode().isprintable()
    if kind == "json":
        assert json.loads(data)["status"] == 400


def test_escaped_bytes_read_back_from_json() -> None:
    """What was sent can be told from the log, byte for byte in Latin-1."""
    sent = bytes(range(256))
    assert json.loads(b'"' + cut(sent) + b'"').encode("latin-1") == sent
    assert not find_unsafe(b"/plain/target?x=[1]")


def test_a_long_target_is_cut() -> None:
    """So that a line of ordinary characters stays below the size that a pipe takes whole."""
    shown = cut(b"/" + b"a" * 10_000)
    assert len(shown) == MAX_TARGET + 3
    assert shown.endswith(b"...")
    assert len(cut(b"\xff" * 10_000)) <= len(shown) < ATOMIC_WRITE


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        (b"/a?token=x", b"/a?token=[redacted]"),
        (b"/a?b=1&password=x&c=2", b"/a?b=1&password=[redacted]&c=2"),
        (b"/a?X-Amz-Signature=x", b"/a?X-Amz-Signature=[redacted]"),
        (b"/a?ACCESS_TOKEN=x&signature=y", b"/a?ACCESS_TOKEN=[redacted]&signature=[redacted]"),
        (b"/a?tokens=x", b"/a?tokens=x"),
        (b"/token=x?a=1", b"/token=x?a=1"),
        (b"/a?token=", b"/a?token="),
        (b"/a?q=token", b"/a?q=token"),
    ],
)
def test_secrets_in_the_query_are_not_written(target: bytes, shown: bytes) -> None:
    """A value is hidden when its key ends with a word for a secret; the rest of the target stays."""
    assert redact_query(target) == shown


def test_off_writes_nothing() -> None:
    """And opens nothing."""
    log = AccessLog("off")
    log.record(*EXCHANGE)
    log.flush()
    log.reopen()
    log.close()
    assert not log.is_on
    assert log.dropped_lines == 0


def test_the_time_is_formatted_once_a_second(tmp_path: Path) -> None:
    """And anew when the second changes, also backwards."""
    path, now = tmp_path / "access.log", [NOON]
    log = AccessLog(str(path), "text", wall_clock=lambda: now[0])
    for moment in (NOON, NOON + 0.9, NOON + 1.0, NOON - 60):
        now[0] = moment
        log.record(*EXCHANGE)
    log.close()
    times = [line.split()[0][11:19] for line in path.read_text().splitlines()]
    assert times == ["12:00:00", "12:00:00", "12:00:01", "11:59:00"]


def test_reopen_begins_a_new_file(tmp_path: Path) -> None:
    """After rotation no line is lost and none goes to the wrong file."""
    path = tmp_path / "access.log"
    log = AccessLog(str(path), "text")
    log.record(*EXCHANGE)
    path.rename(tmp_path / "access.log.1")
    log.reopen()
    log.record(*EXCHANGE)
    log.close()
    assert len(path.read_text().splitlines()) == 1
    assert len((tmp_path / "access.log.1").read_text().splitlines()) == 1


def test_a_new_file_is_not_for_everybody(tmp_path: Path) -> None:
    """Addresses of visitors are personal data."""
    AccessLog(str(tmp_path / "access.log")).close()
    assert os.stat(tmp_path / "access.log").st_mode & 0o007 == 0


def test_a_file_that_cannot_be_opened_raises_at_the_start_only(tmp_path: Path) -> None:
    """The start can still be refused; later nothing raises."""
    with pytest.raises(FileNotFoundError):
        AccessLog(str(tmp_path / "gone" / "access.log"))


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0004, b"0.4 ms"), (0.008, b"8 ms"), (0.9994, b"999 ms"), (12.34, b"12.3 s")]
)
def test_durations_have_a_unit_that_fits(seconds: float, words: bytes) -> None:
    """Nobody counts zeros."""
    assert format_duration(seconds) == words
