"""`edge maintenance on|off`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from edge.cli.actions import Actions
from edge.cli.grouped_help import SETTINGS, GroupedCommand, option
from edge.cli.options import add_options
from edge.errors import ConfigError


@click.command(cls=GroupedCommand, context_settings=SETTINGS)
@click.argument("state", type=click.Choice(("on", "off")))
@add_options((
    option("--page", group="Options", metavar="FILE", help="HTML that visitors see. Default: a page of edge's own."),
    option("--retry-after", group="Options", metavar="N", help="Seconds after which programs may ask again. Default: 60."),
    option("--config", group="Options", metavar="FILE", help="Use the storage directory that this edge.toml names."),
    option("--storage", group="Options", metavar="DIR",
           help="The storage directory. Default: /var/lib/edge as root, else $XDG_DATA_HOME/edge."),
))  # fmt: skip
@click.pass_obj
def maintenance(
    actions: Actions, state: str, page: str | None, retry_after: str | None, config: str | None, storage: str | None
) -> int:
    """Answer every request for an application with 503 and a page, or stop doing so.

    A running edge follows within a second or two, one that is started later begins with it. Static files, redirects, the health
    path and the answers that a CA asks for are not affected.
    """
    from edge.config.flags import Flags  # noqa: PLC0415  # help must not wait for the rooms behind it
    from edge.config.load import load_storage  # noqa: PLC0415

    directory = load_storage(Flags(config=config, storage=storage), os.environ)
    if state == "on":
        _begin(actions, directory, page, retry_after)
        click.echo(f"edge: maintenance is on; edge maintenance off ends it ({directory})", err=True)
    elif page is not None or retry_after is not None:
        raise click.UsageError("--page and --retry-after go with edge maintenance on")
    elif actions.end_maintenance(directory):
        click.echo("edge: maintenance is off", err=True)
    else:
        click.echo(f"edge: maintenance was off already in {directory}", err=True)
    return 0


def _begin(actions: Actions, directory: str, page: str | None, retry_after: str | None) -> None:
    from edge.config.given import Complaints, Given  # noqa: PLC0415
    from edge.config.maintenance import DEFAULT_RETRY_AFTER, MaintenanceNotice, parse_retry_after  # noqa: PLC0415

    complaints = Complaints()
    seconds = None if retry_after is None else Given(retry_after, "--retry-after")
    notice = MaintenanceNotice(
        page=complaints.attempt(Given(page, "--page"), _read_page) or "" if page is not None else "",
        retry_after=complaints.attempt_or(seconds, parse_retry_after, DEFAULT_RETRY_AFTER),
    )
    if complaints.sentences:
        raise ConfigError(complaints.sentences)
    actions.begin_maintenance(directory, notice)


def _read_page(name: str) -> str:
    from edge.config.maintenance import MAX_PAGE, parse_page  # noqa: PLC0415

    try:
        with Path(name).open("rb") as file:
            data = file.read(4 * MAX_PAGE + 1)  # four bytes a character at most: what is cut here is too long anyway
    except OSError as error:
        raise ValueError(f"{name!r} cannot be read: {(error.strerror or str(error)).lower()}") from error
    return parse_page(data, name)
