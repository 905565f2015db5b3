"""Builds edge, where it can with the hot path compiled: what a request passes through is translated to C by mypyc.

The modules are ordinary typed Python and run as such from a checkout (`pip install --editable`), only more slowly; nothing
but speed depends on the translation. `EDGE_COMPILE=never` leaves it out, `EDGE_COMPILE=always` makes a failure an error.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

from setuptools import Extension, setup

COMPILED = (
    "edge/handlers/message_stream.py",
    "edge/handlers/proxy.py",
    "edge/handlers/proxy_exchange.py",
    "edge/handlers/routing.py",
    "edge/handlers/served_names.py",
    "edge/handlers/static/cache.py",
    "edge/handlers/static/entry.py",
    "edge/handlers/static/handler.py",
    "edge/handlers/static/heads.py",
    "edge/handlers/static/reply.py",
    "edge/handlers/tunnel.py",
    "edge/http/dates.py",
    "edge/http/exchange.py",
    "edge/http/forwarding.py",
    "edge/http/message.py",
    "edge/http/path.py",
    "edge/http/prefixes.py",
    "edge/http/validation.py",
    "edge/net/deadlines.py",
    "edge/net/socket_stream.py",
    "edge/net/tls_client.py",
    "edge/net/tls_stream.py",
    "edge/server/connection.py",
    "edge/server/exchange.py",
    "edge/server/request_body.py",
    "edge/server/stall_watch.py",
    "edge/telemetry/access_lines.py",
    "edge/telemetry/access_log.py",
    "edge/telemetry/line_sink.py",
    "edge/upstream/claim.py",
    "edge/upstream/connection.py",
    "edge/upstream/origin.py",
    "edge/upstream/pool.py",
    "edge/upstream/upstream.py",
    "edge/upstream/uwsgi_connection.py",
    "edge/wire/chunked.py",
    "edge/wire/connection_options.py",
    "edge/wire/engine.py",
    "edge/wire/flood_budget.py",
    "edge/wire/frame_watch.py",
    "edge/wire/head_syntax.py",
    "edge/wire/http1.py",
    "edge/wire/http1_origin.py",
    "edge/wire/http2_engine.py",
    "edge/wire/http2_frames.py",
    "edge/wire/http2_h2.py",
    "edge/wire/http2_ngh2.py",
    "edge/wire/http2_output.py",
    "edge/wire/http2_priority.py",
    "edge/wire/http2_request.py",
    "edge/wire/http2_stream.py",
    "edge/wire/origin.py",
    "edge/wire/request_head.py",
    "edge/wire/request_line.py",
    "edge/wire/request_reader.py",
    "edge/wire/response_format.py",
    "edge/wire/response_head.py",
    "edge/wire/response_writer.py",
)
"""What a profile of proxied requests and static files shows, and whatever inherits from a class in there."""

TYPES = """\
[mypy]
ignore_missing_imports = True
follow_imports = silent
[mypy-h2.*,hpack.*,hyperframe.*,ngh2.*,httptools.*,structlog.*,uvloop.*]
follow_imports = skip
"""
"""Which types are believed: ours, the standard library's and msgspec's. mypyc checks values against their types as it runs, and
the build must not depend on what else is installed where it happens."""

MODES = ("auto", "never", "always")


def wants_compiling(mode: str) -> bool:
    """Whether this command builds something to be installed, on a machine that can compile."""
    is_build = not {"bdist_wheel", "build_ext"}.isdisjoint(sys.argv)
    if mode == "never" or not is_build:
        return False
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    can_compile = shutil.which(compiler) and Path(sysconfig.get_paths()["include"], "Python.h").exists()
    if mode == "auto" and not can_compile:
        print("edge: no C compiler or no Python headers here, so it is built as plain Python: right, but slower")
        return False
    return True


def extensions() -> list[Extension]:
    """One for each compiled module, and the one that they share."""
    mode = os.environ.get("EDGE_COMPILE", "auto")
    if mode not in MODES:
        sys.exit(f"EDGE_COMPILE={mode}: must be one of {', '.join(MODES)}")
    if not wants_compiling(mode):
        return []
    from mypyc.build import mypycify  # noqa: PLC0415  # a build that compiles nothing does without it

    with tempfile.NamedTemporaryFile("w", suffix=".ini") as config:
        config.write(TYPES)
        config.flush()
        return mypycify(["--config-file", config.name, *COMPILED], opt_level="2", debug_level="0")


setup(ext_modules=extensions())
