"""Which edge this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def edge_version() -> str:
    """The installed version; "unknown" in a source tree that was never installed.

    Read from disk: after an upgrade of the package it is the new one, also in processes that still run the old code."""
    try:
        return version("edge")
    except PackageNotFoundError:
        return "unknown"
