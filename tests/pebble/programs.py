"""Where the two programs are: on the PATH when they are new enough, else what `pebble/fetch` has put into the project."""

from __future__ import annotations

import shutil
from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent
FETCHED = PROJECT / ".cache" / "pebble"

MISSING = "these tests need Pebble 2.10 or newer (ARI and profiles): run pebble/fetch, or put it on the PATH"


class PebbleMissing(RuntimeError):
    """No usable Pebble on this host; the message says what to do."""


def candidates() -> list[tuple[Path, Path]]:
    """Pairs of pebble and pebble-challtestsrv that exist, best first. Whether one is new enough shows when it runs."""
    found = []
    for path in (None, str(FETCHED)):
        pebble, dns = (shutil.which(name, path=path) for name in ("pebble", "pebble-challtestsrv"))
        if pebble and dns:
            found.append((Path(pebble), Path(dns)))
    return found
