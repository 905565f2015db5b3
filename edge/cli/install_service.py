"""`edge install-service`."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from edge.cli.actions import Actions
from edge.cli.grouped_help import SETTINGS, GroupedCommand, option
from edge.cli.options import add_options, takes_flags
from edge.errors import ConfigError

if TYPE_CHECKING:
    from edge.config.flags import Flags

SERVICE: Final = "The service"

FILES: Final = ("config", "acme_ca_file", "cert", "key", "access_log")
"""Flags whose value is a path, unless it is one of `WORDS`. The storage is not among them: it comes from the configuration."""

WORDS: Final = ("off", "-")

MOUNTS: Final = ("static", "media", "internal")

_ACCOUNT: Final = re.compile(r"[a-z_][a-z0-9_-]{0,30}")


@click.command("install-service", cls=GroupedCommand, context_settings=SETTINGS)
@add_options((
    option("--write", group=SERVICE, is_flag=True, help="Write to /etc/systemd/system instead of printing."),
    option("--account", group=SERVICE, metavar="NAME", default="edge",
           help="The user that the whole service runs as, unless --user is given. Default: edge."),
    option("--socket-activation", group=SERVICE, is_flag=True, help="Let systemd open the listening sockets."),
))  # fmt: skip
@takes_flags
@click.pass_obj
def install_service(actions: Actions, write: bool, account: str, socket_activation: bool, flags: Flags) -> int:
    """Print the systemd unit that runs edge with these flags, with as few rights as that needs.

    Without --user the service runs as an ordinary user, with no right of root's but to listen on low ports. With --user it
    starts as root, and its workers become that user.
    """
    from msgspec import structs  # noqa: PLC0415  # help must not wait for the rooms behind it

    from edge.config.load import load  # noqa: PLC0415
    from edge.config.storage_setting import SYSTEM_STORAGE, default_storage  # noqa: PLC0415
    from edge.process.install import find_obstacles, unit_files  # noqa: PLC0415
    from edge.process.systemd_unit import Service  # noqa: PLC0415

    if not _ACCOUNT.fullmatch(account):
        raise ConfigError([f"--account {account!r} is no name of a user"])
    config = load(flags, os.environ)
    if flags.storage is None and config.storage == default_storage(os.environ, os.geteuid()):
        config = structs.replace(config, storage=SYSTEM_STORAGE)
    flags = structs.replace(flags, storage=config.storage)
    service = Service(config, (*_program(), "run", *arguments(flags)), account, socket_activation)
    units = unit_files(service)
    if write:
        for path in actions.write_units(units):
            click.echo(f"edge: wrote {path}", err=True)
    else:
        for name, text in units.items():
            click.echo(f"# /etc/systemd/system/{name}\n{text}")
    for obstacle in find_obstacles(service):
        click.echo(f"edge: first: {obstacle}", err=True)
    if write:
        names = " ".join(name for name in units if name.endswith(".socket")) or "edge"
        click.echo(f"edge: then: sudo systemctl daemon-reload && sudo systemctl enable --now {names}", err=True)
    return 0


def _program() -> tuple[str, ...]:
    """The console script beside the interpreter, which survives a new version of Python in its environment."""
    script = Path(sys.executable).with_name("edge")
    return (str(script),) if script.exists() else (sys.executable, "-m", "edge")


def arguments(flags: Flags) -> list[str]:
    """The flags as words of a command line that means the same in any directory."""
    from edge.config.flags import flag_name  # noqa: PLC0415

    words: list[str] = []
    for field in flags.__struct_fields__:
        value = getattr(flags, field)
        for each in value if isinstance(value, tuple) else () if value is None else (value,):
            words += [flag_name(field), _absolute(field, each)]
    return words


def _absolute(field: str, value: str) -> str:
    if field in MOUNTS:
        prefix, _, directory = value.partition("=")
        return f"{prefix}={Path(directory).absolute()}"
    return str(Path(value).absolute()) if field in FILES and value not in WORDS else value
