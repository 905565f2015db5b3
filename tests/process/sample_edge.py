"""`python -m tests.process.sample_edge CONFIG`: the supervisor with sample parts; its log is JSON lines on standard output.

The configuration is a `Config` as JSON, read again on SIGHUP. `READY_TIMEOUT` in the environment shortens that time.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
import structlog

from edge.config.schema import Config
from edge.errors import ConfigError, StartError
from edge.process import supervisor
from tests.process.sample_parts import PARTS


def load() -> Config:
    try:
        return msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Config)
    except msgspec.MsgspecError as problem:
        raise ConfigError([f"{sys.argv[1]}: {problem}"]) from problem


def main() -> int:
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]
    structlog.configure(processors, logger_factory=structlog.WriteLoggerFactory(sys.stdout))
    if "READY_TIMEOUT" in os.environ:
        supervisor.READY_TIMEOUT = float(os.environ["READY_TIMEOUT"])  # type: ignore[misc]  # Final for everybody else
    try:
        return supervisor.run(load(), load, PARTS)
    except (ConfigError, StartError) as problem:
        print(problem, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
