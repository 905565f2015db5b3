"""From an event and its fields to one line: cleaned, without secrets, as JSON for machines or short text for people."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec

from edge.telemetry.phrases import format_value
from edge.telemetry.terminal import marks_for, printable

MAX_VALUE: Final = 2000
"""Characters of one value; a problem document or an exception's words fit, a body does not."""

SECRET_KEYS: Final = frozenset(
    ("authorization", "proxy_authorization", "cookie", "set_cookie", "key", "private_key", "account_key", "key_authorization",
     "password", "passwd", "secret", "token", "body")
)  # fmt: skip
"""Field names whose value is never written. Nobody should log them; this is the second lock on that door."""

REDACTED: Final = "[redacted]"

WallClock = Callable[[], float]


def prepare_traceback(_logger: Any, _method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: `exc_info` (True, an exception, or a tuple) becomes the text `traceback`."""
    given = fields.pop("exc_info", None)
    if given is True:
        import sys  # noqa: PLC0415  # asked once per crash

        given = sys.exc_info()[1]
    elif isinstance(given, tuple):
        given = given[1]
    if isinstance(given, BaseException):
        fields["traceback"] = "".join(traceback.format_exception(given)).rstrip()
    return fields


def clean_fields(_logger: Any, _method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: secrets redacted, control characters gone, long values cut, bytes decoded."""
    return {key: _clean_field(key, value) for key, value in fields.items()}


def _clean_field(key: str, value: Any) -> Any:
    if key.lower().replace("-", "_") in SECRET_KEYS:
        return REDACTED
    if key == "traceback":
        return "\n".join(printable(line) for line in str(value).splitlines())
    return _clean(value)


def _clean(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, Mapping):
        return {printable(str(key)): _clean_field(str(key), each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(each) for each in value]
    text = printable(str(value))
    return text if len(text) <= MAX_VALUE else text[:MAX_VALUE] + "…"


class JsonLines:
    """structlog renderer: one JSON object a line; `time` (UTC, RFC 3339), `level`, `process`, `pid`, `room`, `event`, fields."""

    def __init__(self, process_name: str, wall_clock: WallClock = time.time) -> None:
        self._process = process_name
        self._clock = wall_clock

    def __call__(self, _logger: Any, _method: str, fields: MutableMapping[str, Any]) -> str:
        head = {
            "time": format_utc(self._clock()),
            "level": fields.pop("level", ""),
            "process": self._process or own_name(),
            "pid": os.getpid(),
            "room": fields.pop("room", ""),
            "event": fields.pop("event", ""),
        }
        return msgspec.json.encode({**head, **fields}).decode()


def own_name() -> str:
    """ "supervisor", "keeper" or "worker", from what the process calls itself (prctl PR_SET_NAME): children are "edge: NAME". ""
    where the kernel does not tell. Read for each line, because a fork changes it."""
    try:
        _, _, name = Path("/proc/self/comm").read_text().strip().partition("edge: ")
    except (OSError, UnicodeDecodeError):
        return ""
    return name or "supervisor"


class TextLines:
    """structlog renderer for files that people read: `12:04:31  ✓ certs        certificate issued  name=example.com`, in local
    time."""

    def __init__(self, stream: TextIO, wall_clock: WallClock = time.time) -> None:
        marks = marks_for(stream)
        self._clock = wall_clock
        self._marks = {
            "debug": marks.dot,
            "info": marks.done,
            "warning": marks.warning,
            "error": marks.failure,
            "critical": marks.failure,
        }

    def __call__(self, _logger: Any, _method: str, fields: MutableMapping[str, Any]) -> str:
        mark = self._marks.get(str(fields.pop("level", "info")), "")
        room, event, trace = fields.pop("room", ""), fields.pop("event", ""), fields.pop("traceback", "")
        moment = time.strftime("%H:%M:%S", time.localtime(self._clock()))
        words = "".join(f"  {key}={format_value(value)}" for key, value in fields.items())
        return f"{moment}  {mark} {room:<11} {event}{words}" + (f"\n{trace}" if trace else "")


def format_utc(moment: float) -> str:
    """`2026-11-22T12:04:31Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
