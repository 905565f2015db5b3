"""Versions of edge and of the packages whose behaviour shows in bug reports."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from edge.telemetry.version import edge_version

PACKAGES = ("edge", "cryptography", "acme", "h2", "httptools", "ngh2", "uvloop")


def versions() -> list[tuple[str, str]]:
    """Name and version of edge and of what is installed of `PACKAGES`."""
    found = [(name, _version(name)) for name in PACKAGES[1:]]
    code = "compiled" if is_compiled() else "plain Python"
    return [("edge", edge_version()), ("hot path", code), *((name, number) for name, number in found if number)]


def is_compiled() -> bool:
    """Whether the hot path runs as C. It does in what is installed where a compiler was at hand, not in a checkout."""
    found = find_spec("edge.wire.http1")
    return found is not None and not (found.origin or "").endswith(".py")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
