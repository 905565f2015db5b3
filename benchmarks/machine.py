"""What a reader must know about the machine and the programs before believing a figure."""

from __future__ import annotations

import os
import platform
import ssl
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.tools import TOOLS, version_of

PACKAGES = ("edge", "h2", "hpack", "ngh2", "httptools", "uvloop", "gunicorn", "django")


def parse_cpu_model(cpuinfo: str) -> str:
    """The model name from the text of /proc/cpuinfo, or "unknown"."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return "unknown"


LOAD = "load average at the start"


def is_busy(machine: dict[str, str]) -> bool:
    """Whether the described machine already had half a core's worth of other work when the run began."""
    loads = machine.get(LOAD, "").split()
    return bool(loads) and float(loads[0]) > 0.5


def describe_machine() -> dict[str, str]:
    """Processor, kernel, memory, and how busy it already was."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1024**3
    return {
        "processor": parse_cpu_model(Path("/proc/cpuinfo").read_text()),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        LOAD: " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def describe_versions() -> dict[str, str]:
    """Programs and packages of the comparison."""
    found = {name: version_of(name) for name in TOOLS if name != "taskset"}
    found["python"] = f"{platform.python_implementation()} {platform.python_version()}"
    found["openssl (python's)"] = ssl.OPENSSL_VERSION
    return found | {name: _version_of_package(name) for name in PACKAGES}


def _version_of_package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
