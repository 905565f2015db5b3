"""`edge doctor`: would an order for this name succeed?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import click

from edge.cli.actions import Actions
from edge.cli.grouped_help import SETTINGS, GroupedCommand
from edge.cli.options import takes_flags

if TYPE_CHECKING:
    from edge.config.flags import Flags

WELL: Final = 0
ATTENTION: Final = 1


@click.command(cls=GroupedCommand, context_settings=SETTINGS)
@click.argument("name")
@takes_flags
@click.pass_obj
def doctor(actions: Actions, name: str, flags: Flags) -> int:
    """Tell whether a certificate for NAME can be had, one sentence for each thing that it needs. Orders nothing.

    Looks at the addresses of NAME for the internet and for this machine, at DNSSEC and CAA, at ports 80 and 443 through every
    address, at the clock, the storage and what the CA still allows. The running edge looks; if none runs, the command does
    with the given options. Exit status: 0 when nothing speaks against an order, else 1.
    """
    from edge.config.load import load  # noqa: PLC0415  # help must not wait for it
    from edge.config.names import parse_name  # noqa: PLC0415
    from edge.telemetry.terminal import printable  # noqa: PLC0415

    try:
        spelled = parse_name(name)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    answer = actions.examine(load(flags, os.environ), spelled)
    for sentence in answer.sentences:
        click.echo(printable(sentence))
    return WELL if answer.is_done else ATTENTION
