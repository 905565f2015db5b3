"""`edge cache purge`."""

from __future__ import annotations

import os

import click

from edge.cli.actions import Actions
from edge.cli.grouped_help import SETTINGS, GroupedCommand, option
from edge.cli.options import add_options
from edge.errors import ConfigError


@click.group(context_settings=SETTINGS)
def cache() -> None:
    """Look after the response cache: see edge cache purge."""


@cache.command(cls=GroupedCommand, context_settings=SETTINGS)
@click.argument("pattern", metavar="[URL]", required=False)
@add_options((
    option("--site", group="Options", metavar="NAME", help="Only what this site or host gave."),
    option("--config", group="Options", metavar="FILE", help="Use the storage directory that this edge.toml names."),
    option("--storage", group="Options", metavar="DIR",
           help="The storage directory. Default: /var/lib/edge as root, else $XDG_DATA_HOME/edge."),
))  # fmt: skip
@click.pass_obj
def purge(actions: Actions, pattern: str | None, site: str | None, config: str | None, storage: str | None) -> int:
    """Forget stored responses: all of them, those of one URL or path, or with * at its end all that begin so.

    Waits until every worker of a running edge has been told. An edge that is started later will not use them either.
    """
    from edge.config.flags import Flags  # noqa: PLC0415  # help must not wait for the rooms behind it
    from edge.config.given import Complaints, Given  # noqa: PLC0415
    from edge.config.load import load_storage  # noqa: PLC0415
    from edge.config.names import parse_name  # noqa: PLC0415
    from edge.config.purge import parse_pattern  # noqa: PLC0415

    complaints = Complaints()
    host = "" if site is None else complaints.attempt(Given(site, "--site"), parse_name) or ""
    what = "" if pattern in (None, "*") else complaints.attempt(Given(str(pattern), "URL"), parse_pattern) or ""
    if complaints.sentences:
        raise ConfigError(complaints.sentences)
    directory = load_storage(Flags(config=config, storage=storage), os.environ)
    if actions.purge_cache(directory, host, what):
        click.echo("edge: purged", err=True)
    else:
        click.echo(f"edge: noted for the next start; no running edge has answered in {directory}", err=True)
    return 0
