"""The console script `edge`."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    raise SystemExit("edge: the command line is not built yet")
