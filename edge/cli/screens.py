"""What `edge certs` prints: a table for people, JSON for programs."""

from __future__ import annotations

import io
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge.telemetry.terminal import printable, wants_colour

if TYPE_CHECKING:
    from edge.process.inspection import CertificateStatus

COLOURS: Final = {"valid": "green", "expired": "red", "damaged": "red", "missing": "yellow"}

PLAIN_WIDTH: Final = 1000
"""Columns when no terminal limits them: `grep` must find whole names."""

MAX_NAMES: Final = 3
"""Names in one cell; `--json` has all of them."""

DAY: Final = 86400.0


def certificate_json(certificates: Sequence[CertificateStatus]) -> str:
    """A JSON array of objects with the fields of `CertificateStatus`."""
    return msgspec.json.format(msgspec.json.encode(list(certificates)), indent=2).decode()


def certificate_table(
    certificates: Sequence[CertificateStatus],
    *,
    now: float | None = None,
    width: int | None = None,
    environ: Mapping[str, str] = os.environ,
) -> str:
    """The table, with a line feed at its end; as wide as the terminal, coloured where the terminal is."""
    is_terminal = sys.stdout.isatty()
    output = io.StringIO()
    console = Console(
        file=output,
        width=width or (shutil.get_terminal_size().columns if is_terminal else PLAIN_WIDTH),
        force_terminal=wants_colour(sys.stdout, environ),
        highlight=False,
        legacy_windows=False,
    )
    console.print(_table(certificates, time.time() if now is None else now))
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines()) + "\n"


def _table(certificates: Sequence[CertificateStatus], now: float) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in ("names", "state", "expires", "next renewal", "last error"):
        table.add_column(heading, overflow="fold")
    for each in certificates:
        table.add_row(
            _names(each),
            Text(each.state, style=COLOURS.get(each.state, "")) + Text("" if each.in_use else ", unused", style="dim"),
            _moment(each.not_after, now),
            _moment(each.renew_at, now),
            _problem(each, now),
        )
    return table


def _names(certificate: CertificateStatus) -> Text:
    names = certificate.names or (certificate.directory,)
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return Text(printable(", ".join(names[:MAX_NAMES]) + more))


def _problem(certificate: CertificateStatus, now: float) -> Text:
    if not certificate.last_error:
        return Text("–", style="dim")
    again = f" (next try {_moment(certificate.next_attempt, now)})" if certificate.next_attempt else ""
    return Text(printable(certificate.last_error) + again)


def _moment(moment: float | None, now: float) -> str:
    """`2027-02-20 (in 90 days)`; hours when it is less than two days away."""
    if not moment:
        return "–"
    date = time.strftime("%Y-%m-%d %H:%M UTC" if abs(moment - now) < 2 * DAY else "%Y-%m-%d", time.gmtime(moment))
    return f"{date} ({_distance(moment - now)})"


def _distance(seconds: float) -> str:
    amount = abs(seconds)
    words = (
        f"{amount / DAY:.0f} days" if amount >= 2 * DAY else f"{amount / 3600:.0f} h" if amount >= 3600 else "minutes"
    )
    return f"in {words}" if seconds > 0 else f"{words} ago"
