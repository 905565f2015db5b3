"""Log lines: a constant lower-case event, data as fields.

    log = get_logger("certs")
    log.info("certificate issued", name="example.com", not_after="2027-02-20T10:00:00Z")

debug: per-peer noise. info: what an operator would tell a colleague. warning: heals by itself. error: someone must act.
Never a private key, key authorization, `Authorization` or `Cookie` value, or body; text from the network is stripped.

Each process calls `configure_logs` once, before its first line. Until then structlog's own printing is in force.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Literal, TextIO, TypeAlias

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from edge.telemetry.foreign_records import adopt_foreign_records
from edge.telemetry.log_lines import JsonLines, TextLines, clean_fields, prepare_traceback
from edge.telemetry.terminal import is_terminal
from edge.telemetry.terminal_lines import TerminalLines

LogFormat: TypeAlias = Literal["auto", "text", "json"]


def get_logger(room: str) -> FilteringBoundLogger:
    """A logger whose lines carry the room they come from."""
    logger: FilteringBoundLogger = structlog.get_logger(room=room)
    return logger


def configure_logs(
    format: LogFormat,  # noqa: A002  # the word of the schema and of --log-format
    stream: TextIO | None = None,
    process_name: str = "",
    *,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Send all log lines of this process to `stream` (standard error), as text or JSON lines; `auto` looks for a terminal.
    On a terminal, text is what `phrases` makes of it.

    `process_name` tells supervisor, keeper and workers apart in JSON; "" means the name that each process has given itself,
    so that forked ones need not call this again. EDGE_DEBUG in the environment lets debug lines through.
    Records of the standard library's `logging` join from warning upwards. A line that cannot be written is lost silently:
    logging never raises and never stops the caller.
    """
    stream = sys.stderr if stream is None else stream
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            prepare_traceback,
            clean_fields,
            _renderer(format, stream, process_name, environ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("debug" if environ.get("EDGE_DEBUG") else "info"),
        logger_factory=lambda *_: _LineWriter(stream),
        cache_logger_on_first_use=False,  # a forked process configures anew; lines are too rare for the cost to matter
    )
    adopt_foreign_records(get_logger)


def _renderer(
    format: LogFormat,  # noqa: A002
    stream: TextIO,
    process_name: str,
    environ: Mapping[str, str],
) -> Processor:
    if format == "json" or (format == "auto" and not is_terminal(stream)):
        return JsonLines(process_name)
    return TerminalLines(stream, environ) if is_terminal(stream) else TextLines(stream)


class _LineWriter:
    """The end of structlog's chain: one write per line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # disk full, pipe closed, stream closed: nowhere is left to say so
            pass

    debug = info = warning = error = critical = msg
