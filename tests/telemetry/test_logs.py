"""Log lines."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.telemetry.foreign_records import ForeignRecords
from edge.telemetry.logs import configure_logs, get_logger
from tests.telemetry.streams import AsciiTerminal, BrokenStream, Terminal


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, ForeignRecords)]:
        root.removeHandler(handler)


def _json_lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_machines_get_one_json_object_a_line() -> None:
    """With time in UTC, level, process, room, event and the fields as they are."""
    stream = io.StringIO()
    configure_logs("auto", stream, "keeper", environ={})
    get_logger("certs").info("certificate issued", name="example.com", seconds=4.1, names=("a", "b"), address=None)
    (line,) = _json_lines(stream)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info", "process": "keeper", "pid": os.getpid(), "room": "certs", "event": "certificate issued",
        "name": "example.com", "seconds": 4.1, "names": ["a", "b"], "address": None,
    }  # fmt: skip


def test_a_process_is_called_what_it_calls_itself() -> None:
    """So that lines of forked processes can be told apart without configuring again."""
    stream = io.StringIO()
    configure_logs("json", stream, environ={})
    get_logger("a").info("b")
    assert _json_lines(stream)[0]["process"] == "supervisor"


def test_text_files_get_marks_and_short_lines() -> None:
    """Time of day, a mark for the level, the room, the event, the fields."""
    stream = io.StringIO()
    configure_logs("text", stream, environ={})
    log = get_logger("certs")
    log.info("certificate issued", name="example.com", seconds=4.1)
    log.warning("certificate authority slow", detail="read timed out")
    log.error("disk full", names=["a"])
    assert [line[10:] for line in stream.getvalue().splitlines()] == [
        "+ certs       certificate issued  name=example.com  seconds=4.1",
        '! certs       certificate authority slow  detail="read timed out"',
        'x certs       disk full  names=["a"]',
    ]


def test_text_can_be_had_without_a_terminal_and_json_with_one() -> None:
    """`--log-format` decides; a stream without Unicode gets ASCII marks."""
    stream = io.StringIO()
    configure_logs("text", stream, environ={})
    get_logger("a").info("b")
    assert stream.getvalue()[10:] == "+ a           b\n"
    terminal = AsciiTerminal()
    configure_logs("json", terminal, environ={})
    get_logger("a").info("b")
    assert _json_lines(terminal)[0]["event"] == "b"


def test_colours_appear_on_terminals_that_want_them() -> None:
    """And only around the mark."""
    stream = Terminal()
    configure_logs("auto", stream, environ={})
    get_logger("a").info("b", c=1)
    assert stream.getvalue() == "  \x1b[32m✓\x1b[0m a           b  c=1\n"


@pytest.mark.parametrize(
    "key", ["authorization", "Authorization", "cookie", "set-cookie", "key", "private_key", "token", "body"]
)
def test_values_with_secret_names_are_redacted(key: str) -> None:
    """In nested fields too."""
    stream = io.StringIO()
    configure_logs("json", stream, environ={})
    get_logger("a").info("b", **{key: "hunter2"}, fields={key: "hunter2"})
    assert "hunter2" not in stream.getvalue()
    assert "[redacted]" in stream.getvalue()


@pytest.mark.parametrize("kind", ["json", "text"])
@given(
    value=st.text()
    | st.binary()
    | st.lists(st.text())
    | st.dictionaries(st.text(), st.text())
    | st.floats(allow_nan=False)
)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_value_can_forge_a_line(kind: Any, value: Any) -> None:
    """Whatever a field holds, one event is one line without control characters."""
    stream = io.StringIO()
    configure_logs(kind, stream, environ={})
    get_logger("a").info("b", value=value)
    text = stream.getvalue()
    assert text.endswith("\n")
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text


def test_a_value_has_a_bounded_length() -> None:
    """A response body in an error message does not fill the disk."""
    stream = io.StringIO()
    configure_logs("json", stream, environ={})
    get_logger("a").info("b", detail="x" * 100_000)
    assert len(stream.getvalue()) < 3000


def test_debug_lines_need_edge_debug() -> None:
    """They are per-peer noise."""
    stream = io.StringIO()
    configure_logs("json", stream, environ={})
    get_logger("a").debug("noise")
    assert stream.getvalue() == ""
    configure_logs("json", stream, environ={"EDGE_DEBUG": "1"})
    get_logger("a").debug("noise")
    assert _json_lines(stream)[0]["level"] == "debug"


def test_a_crash_keeps_its_traceback() -> None:
    """As one field for machines, as lines below the event for people."""
    for kind, stream in (("json", io.StringIO()), ("text", io.StringIO())):
        configure_logs("json" if kind == "json" else "text", stream, environ={})
        try:
            raise ValueError("broken\x1b[1m")
        except ValueError:
            get_logger("a").exception("unexpected error")
    assert "ValueError: broken[1m" in stream.getvalue()
    assert "Traceback" in stream.getvalue().splitlines()[1]


def test_a_stream_that_is_gone_does_not_matter() -> None:
    """Logging never raises."""
    configure_logs("text", BrokenStream(), environ={})
    get_logger("a").error("b")


def test_records_of_other_libraries_join_from_warning_upwards() -> None:
    """In our format, once each, however often logs are configured."""
    stream = io.StringIO()
    configure_logs("json", stream, environ={})
    configure_logs("json", stream, environ={})
    logging.getLogger("urllib3.connectionpool").info("quiet")
    logging.getLogger("urllib3.connectionpool").warning("retrying %s", "x\x1b")
    logging.getLogger("asyncio").error("never retrieved", exc_info=ValueError("lost"))
    warning, error = _json_lines(stream)
    assert (warning["level"], warning["room"], warning["message"]) == ("warning", "urllib3", "retrying x")
    assert (error["level"], error["event"]) == ("error", "library message")
    assert "ValueError: lost" in error["traceback"]
