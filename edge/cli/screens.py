"""What `edge certs` prints: a table or the details of one certificate for people, JSON for programs."""

from __future__ import annotations

import io
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge.telemetry.terminal import printable, wants_colour

if TYPE_CHECKING:
    from edge.process.inspection import Budget, CertificateStatus

COLOURS: Final = {"valid": "green", "expired": "red", "damaged": "red", "missing": "yellow"}

PLAIN_WIDTH: Final = 1000
"""Columns when no terminal limits them: `grep` must find whole names."""

MAX_NAMES: Final = 3
"""Names in one cell; `--json` has all of them."""

DAY: Final = 86400.0

WIDTH: Final = 12
"""Columns of the words on the left of the details."""


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
    for heading in ("names", "state", "expires", "next renewal", "budget", "last problem"):
        table.add_column(heading, overflow="fold")
    for each in certificates:
        table.add_row(
            _names(each),
            Text(each.state, style=COLOURS.get(each.state, "")) + Text("" if each.in_use else ", unused", style="dim"),
            _moment(each.not_after, now),
            _renewal(each, now),
            _tightest(each),
            _problem(each, now),
        )
    return table


def certificate_details(certificate: CertificateStatus, *, now: float | None = None) -> str:
    """Everything about one certificate, a fact a line, with a line feed at its end."""
    now = time.time() if now is None else now
    lines = [printable(", ".join(certificate.names) or certificate.directory)]
    lines += [f"  {word:<{WIDTH}} {printable(text)}" for word, text in _facts(certificate, now) if text]
    lines += [f"  {'history' if not index else '':<{WIDTH}} {text}" for index, text in enumerate(_history(certificate))]
    return "\n".join(lines) + "\n"


def _facts(each: CertificateStatus, now: float) -> Iterator[tuple[str, str]]:
    yield "state", f"{each.state}{'' if each.in_use else ', unused'}{f', from {each.issuer}' if each.issuer else ''}"
    yield "attention", each.attention
    yield "serial", each.serial
    yield "expires", _moment(each.not_after, now)
    yield "renewal", _renewal(each, now)
    if each.last_error:
        yield "problem", each.last_error
        yield "what to do", each.last_hint
        yield "attempts", f"{each.failures} failed since {_moment(each.failing_since, now)}"
        yield "next try", _moment(each.next_attempt, now)
    for budget in each.budgets:
        yield "budget", _budget(budget, now)


def _renewal(certificate: CertificateStatus, now: float) -> str:
    reason = f": {certificate.renew_reason}" if certificate.renew_reason else ""
    return f"{_moment(certificate.renew_at, now)}{reason}"


_BUDGETS: Final = {
    "orders": "new orders of the account",
    "duplicates": "certificates for exactly these names",
    "failures": "failed validations",
}


def _budget(budget: Budget, now: float) -> str:
    span = f"{budget.window / DAY:g} days" if budget.window >= DAY else f"{budget.window / 3600:g} h"
    again = f"; the next is possible {_moment(budget.frees_at, now)}" if budget.frees_at else ""
    about = f" of {budget.subject}" if budget.kind == "failures" else ""
    return f"{budget.left} of {budget.count} {_BUDGETS[budget.kind]}{about} left in {span}{again}"


def _tightest(certificate: CertificateStatus) -> str:
    """The budget that ends first."""
    if not certificate.budgets:
        return "–"
    tightest = min(certificate.budgets, key=lambda budget: budget.left / budget.count)
    return f"{tightest.left} of {tightest.count} {tightest.kind.value}"


def _history(certificate: CertificateStatus) -> Iterator[str]:
    for entry in certificate.history:
        date = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(entry.at))
        where = f" (dry run at {entry.ca})" if entry.rehearsal else f" by {entry.ca}" if entry.ca else ""
        what = f": {entry.phase}: {entry.cause}" if entry.phase else f" ({entry.cause})" if entry.cause else ""
        yield printable(f"{date} {entry.event.value}{where}{what}")


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
