"""The access log: one line per finished exchange.

    log = AccessLog("-", "auto")        or a file, or "off"
    log.record(…)                       once per exchange, about 2 µs, no system call
    log.flush()                         by the worker's tick (four times a second) and at exit: `close`

`access_lines` shapes lines, `line_sink` writes them; here is the clock between them, formatted once a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from edge.telemetry.access_lines import MAX_TARGET, cut, find_unsafe, json_line, redact_query, text_line
from edge.telemetry.destination import Destination, open_file, open_standard_output
from edge.telemetry.line_sink import LineSink
from edge.telemetry.logs import LogFormat

OFF = "off"
STANDARD_OUTPUT = "-"


class AccessLog:
    """Where finished exchanges are written down.

    `where` is "off", "-" for standard output, or the path of a file that is appended to. `format` "auto" means text on a
    terminal and JSON lines otherwise. `dropped_lines` counts what could not be written.

    Raises: OSError when the file cannot be opened. Afterwards nothing raises.
    """

    def __init__(
        self,
        where: str,
        format: LogFormat = "auto",  # noqa: A002  # the word of the schema
        *,
        sink: LineSink | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._sink = None if where == OFF else sink or LineSink(lambda: _open(where))
        on_terminal = self._sink is not None and self._sink.is_terminal
        is_text = on_terminal if format == "auto" else format == "text"
        self._format_line = text_line if is_text else json_line
        self._format_time = _local_time if on_terminal else _utc_time
        self._clock = wall_clock
        self._second = -1
        self._moment = b""

    def record(  # positional, because keywords cost time here
        self,
        client: str,
        method: bytes,
        authority: bytes,
        target: bytes,
        protocol: bytes,
        status: int,
        sent: int,
        seconds: float,
        upstream_seconds: float,
        request_id: str,
        held_seconds: float = 0.0,
        cache_verdict: str = "",
    ) -> None:
        """Write one exchange down. Hot path; call it with positional values.

        `client` is the numeric address; `protocol` is b"1.1" or b"2"; `sent` are body bytes; `seconds` run from the request
        head to the last byte handed to the socket; `upstream_seconds` until the origin's first byte, negative without one;
        `held_seconds` of waiting for an origin to come back are part of `seconds`; `cache_verdict` is a word of ours or "".
        Method, authority and target may be anything a client sent.
        """
        sink = self._sink
        if sink is None:
            return
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._moment = self._format_time(second)
        if b"?" in target:
            target = redact_query(target)
        if find_unsafe(target) or len(target) > MAX_TARGET:
            target = cut(target)
        if find_unsafe(authority) or find_unsafe(method):
            method, authority = cut(method), cut(authority)
        sink.add(
            self._format_line(
                self._moment,
                client,
                method,
                authority,
                target,
                protocol,
                status,
                sent,
                seconds,
                upstream_seconds,
                request_id,
                held_seconds,
                cache_verdict,
            )
        )

    @property
    def is_on(self) -> bool:
        """Whether `record` writes anything."""
        return self._sink is not None

    @property
    def dropped_lines(self) -> int:
        """Lines that could not be written since the start."""
        return self._sink.dropped_lines if self._sink else 0

    def flush(self) -> None:
        """Write what is gathered. Never waits."""
        if self._sink:
            self._sink.flush()

    def reopen(self) -> None:
        """The file has been rotated: begin a new one of the same name."""
        if self._sink:
            self._sink.reopen()

    def close(self) -> None:
        """Write what is left. `record` must not be called afterwards."""
        if self._sink:
            self._sink.close()


def _open(where: str) -> Destination:
    return open_standard_output() if where == STANDARD_OUTPUT else open_file(where)


def _utc_time(second: int) -> bytes:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second)).encode()


def _local_time(second: int) -> bytes:
    return time.strftime("%H:%M:%S", time.localtime(second)).encode()
