"""Versions of edge and of the packages whose behaviour shows in bug reports."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("edge", "cryptography", "acme", "h2", "httptools", "ngh2", "uvloop")


def edge_version() -> str:
    """The installed version; "unknown" in a source tree that was never installed."""
    return _version("edge") or "unknown"


def versions() -> list[tuple[str, str]]:
    """Name and version of edge and of what is installed of `PACKAGES`."""
    found = [(name, _version(name)) for name in PACKAGES[1:]]
    return [("edge", edge_version()), *((name, number) for name, number in found if number)]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
