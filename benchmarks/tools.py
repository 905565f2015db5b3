"""The programs that a run needs from outside, and the sentence for each one that is missing."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable

from msgspec import Struct

from benchmarks.errors import MissingTool


class Tool(Struct, frozen=True):
    """A foreign program: how to get it (Debian's package) and how to ask for its version."""

    program: str
    package: str
    version_flag: str
    purpose: str


TOOLS = {
    tool.program: tool
    for tool in (
        Tool("nginx", "nginx-light", "-v", "one of the servers, and the origin behind all of them"),
        Tool("caddy", "caddy", "version", "one of the servers"),
        Tool("wrk", "wrk", "-v", "the load generator for HTTP/1.1"),
        Tool("h2load", "nghttp2-client", "--version", "the load generator for HTTP/2 and for fixed rates"),
        Tool("taskset", "util-linux", "--version", "keeps processes on their cores"),
    )
}

VERSION = re.compile(r"\d+\.\d+[\w.+-]*")


def require(programs: Iterable[str]) -> None:
    """Check that all of these are installed.

    Raises: MissingTool with one line for each that is not, and one command that installs them."""
    missing = [TOOLS[name] for name in programs if not shutil.which(name)]
    if not missing:
        return
    lines = [f"{tool.program} is not installed: {tool.purpose}." for tool in missing]
    lines.append(f"On Debian or Ubuntu: apt install {' '.join(tool.package for tool in missing)}")
    raise MissingTool("\n".join(lines))


def parse_version(text: str) -> str:
    """The first thing in a program's own words that looks like a version; "unknown" when nothing does."""
    found = VERSION.search(text)
    return found.group() if found else "unknown"


def version_of(program: str) -> str:
    """What an installed program says its version is; "absent" for one that is not there."""
    if not shutil.which(program):
        return "absent"
    done = subprocess.run(
        [program, TOOLS[program].version_flag], capture_output=True, text=True, timeout=10, check=False
    )
    return parse_version(done.stdout + done.stderr)


def edge_command() -> tuple[str, ...]:
    """How edge is started: from the interpreter that runs the suite, so that both see the same packages."""
    return (sys.executable, "-m", "edge")
