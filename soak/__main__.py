"""`python -m soak --minutes N`: exit status 0 when nothing has grown and nothing was lost."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from soak.run import describe, soak

MOST_MINUTES = 24 * 60
"""A day. Whoever wants to know more runs edge itself."""


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long (default 5)")
    minutes: float = parser.parse_args().minutes
    if not 0 < minutes <= MOST_MINUTES:
        parser.error(f"--minutes: more than 0, at most {MOST_MINUTES}")
    with tempfile.TemporaryDirectory(prefix="edge-soak-") as directory:
        report = soak(Path(directory), minutes * 60)
    print(describe(report))
    return 1 if report.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
