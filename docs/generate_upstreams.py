"""Makes `docs/reference/upstreams.md` from the matrix that `tests/blackbox/test_upstreams.py` measures cell by cell.

    python docs/generate_upstreams.py

A test fails when the page is not what this makes, and another one when a cell is not what a real server does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "upstreams.md"

sys.path.insert(0, str(ROOT))

from tests.blackbox.upstreams import checks  # noqa: E402, F401  # fills the matrix
from tests.blackbox.upstreams.matrix import FEATURES  # noqa: E402
from tests.blackbox.upstreams.servers import SERVERS  # noqa: E402

INTRODUCTION = """\
# Application servers

<!-- made by: python docs/generate_upstreams.py -->

What works with which server behind edge. Each cell is a test: a real server, started as shown below, runs a Django project
behind a real edge, and a client asks over TLS. The test fails when the cell's words are not what it finds, whether they are good
news or bad; the page is made from the table that the tests use.
"""

ADDRESSES = """\
## Addresses

| `upstream` | what is spoken there |
|---|---|
| `127.0.0.1:8000`, `http://host:port`, `:8000` | HTTP/1.1 |
| `unix:/run/app.sock` | HTTP/1.1 over a unix socket |
| `https://host:port` | HTTP/1.1 over TLS, [verified](../how-to/several-upstreams.md#https-to-an-origin) |
| `uwsgi://host:port`, `uwsgi+unix:/run/app.sock` | [uWSGI's own protocol](../how-to/uwsgi.md) |

An address with the wrong protocol is 502: what listens there does not understand the request, or its answer is not HTTP.
"""


def made_page() -> str:
    """The page as it should be."""
    return "\n".join((INTRODUCTION, *_table(), "", *_notes(), "", *_starts(), "", ADDRESSES))


def _table() -> Iterator[str]:
    yield f"| | {' | '.join(server.title for server in SERVERS.values())} |"
    yield f"|---|{'---|' * len(SERVERS)}"
    for row in FEATURES.values():
        mark = _marks().get(row.note, "")
        yield f"| {row.title}{mark} | {' | '.join(row.expected(key) for key in SERVERS)} |"


def _marks() -> dict[str, str]:
    """Note → its number as a row shows it."""
    notes = [row.note for row in FEATURES.values() if row.note]
    return {note: f" ({number})" for number, note in enumerate(notes, start=1)}


def _notes() -> Iterator[str]:
    for number, note in enumerate(_marks(), start=1):
        yield f"{number}. {note}"


def _starts() -> Iterator[str]:
    yield "## How they were started\n"
    yield "| server | command, with one worker process and an address |"
    yield "|---|---|"
    for server in SERVERS.values():
        yield f"| {server.title} | `{server.line}` |"


if __name__ == "__main__":
    PAGE.write_text(made_page())
