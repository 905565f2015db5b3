"""Attack a server on this machine by hand: `python -m tests.attacks "http2: ping" --port 8443 --seconds 5`."""

from __future__ import annotations

import argparse
import time

from tests.attacks.catalogue import ATTACKS
from tests.attacks.target import Target


def main() -> None:
    """One attack, bounded in time."""
    parser = argparse.ArgumentParser(prog="python -m tests.attacks", description=__doc__)
    parser.add_argument("attack", choices=[*ATTACKS], metavar="ATTACK", help="; ".join(ATTACKS))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--path", default="/")
    parser.add_argument("--name", default="localhost")
    given = parser.parse_args()
    target = Target(given.port, given.path.encode(), given.name)
    ATTACKS[given.attack](target, time.monotonic() + min(given.seconds, 60.0))


if __name__ == "__main__":
    main()
