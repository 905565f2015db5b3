"""`edge upgrade`."""

from __future__ import annotations

import os

import click

from edge.cli.actions import Actions
from edge.cli.grouped_help import SETTINGS, GroupedCommand, option
from edge.cli.options import add_options


@click.command(cls=GroupedCommand, context_settings=SETTINGS)
@add_options((
    option("--config", group="Options", metavar="FILE", help="The edge that uses the storage directory of this edge.toml."),
    option("--storage", group="Options", metavar="DIR",
           help="The edge that uses this storage directory. Default: /var/lib/edge as root, else $XDG_DATA_HOME/edge."),
))  # fmt: skip
@click.pass_obj
def upgrade(actions: Actions, config: str | None, storage: str | None) -> int:
    """Let the running edge be replaced by the version that is installed now.

    Listening sockets stay open: the new edge takes them over and serves, then the old one finishes what is in flight. When the
    new one cannot start, the old one goes on serving and this command says why, with exit status 1.
    """
    from edge.config.flags import Flags  # noqa: PLC0415  # help must not wait for the rooms behind it
    from edge.config.load import load_storage  # noqa: PLC0415

    directory = load_storage(Flags(config=config, storage=storage), os.environ)
    old, new = actions.request_upgrade(directory)
    click.echo(
        f"edge: version {new.version} serves (pid {new.pid}) in place of {old.version};"
        f" pid {old.pid} finishes what it has in flight",
        err=True,
    )
    return 0
