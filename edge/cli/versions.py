"""Versions of edge and of the packages whose behaviour shows in bug reports."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from edge.telemetry.version import edge_version

PACKAGES = ("edge", "cryptography", "acme", "h2", "httptools", "ngh2", "uvloop")


def versions() -> list[tuple[str, str]]:
    """Name and version of edge and of what is installed of `PACKAGES`."""
    found = [(name, _version(name)) for name in PACKAGES[1:]]
    return [("edge", edge_version()), *((name, number) for name, number in found if number)]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
