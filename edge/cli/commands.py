"""`edge run`, `edge check`, `edge hash-password`, `edge version`; other commands have modules of their own.

A command returns its exit status and raises the errors of `edge.errors`; `main` turns those into words. Data goes to standard
output, talk to standard error.
"""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING, Final

import click

from edge.cli.actions import Actions
from edge.cli.cache import cache
from edge.cli.certs import certs
from edge.cli.grouped_help import SETTINGS, GroupedCommand
from edge.cli.install_service import install_service
from edge.cli.maintenance import maintenance
from edge.cli.options import takes_flags
from edge.cli.root import RootCommand
from edge.cli.upgrade import upgrade
from edge.errors import ConfigError

if TYPE_CHECKING:
    from edge.config.flags import Flags

EXAMPLES: Final = (
    ("A Django site under gunicorn, with a certificate that is obtained and renewed by itself:",
     "edge --domain example.com --upstream 127.0.0.1:8000 --static /static=./static"),
    ("Try it on this machine, without root and without a public name:",
     "edge --upstream 127.0.0.1:8000 --http-port 8080 --https-port 8443"),
)  # fmt: skip


def _print_version(ctx: click.Context, _parameter: click.Parameter, is_wanted: bool) -> None:
    from edge.telemetry.version import edge_version  # noqa: PLC0415  # only who asks pays for reading package data

    if is_wanted:
        click.echo(f"edge {edge_version()}")
        ctx.exit()


@click.group(cls=RootCommand, context_settings=SETTINGS, examples=EXAMPLES)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
def command_line() -> None:
    """The web server in front of Python web applications: automatic HTTPS, HTTP/2, static files, reverse proxy."""


@command_line.command(cls=GroupedCommand, context_settings=SETTINGS, examples=EXAMPLES)
@takes_flags
@click.pass_obj
def run(actions: Actions, flags: Flags) -> int:
    """Serve until told to stop. `edge` alone is the same.

    SIGTERM and Ctrl-C finish what is in flight, then stop; SIGHUP reads the configuration again; SIGUSR2 is edge upgrade.
    """
    from edge.config.load import load  # noqa: PLC0415  # help must not wait for it

    config = load(flags, os.environ)
    complaints = actions.find_complaints(config)
    if complaints:
        raise ConfigError(complaints)
    return actions.run(config, lambda: load(flags, os.environ))


@command_line.command(cls=GroupedCommand, context_settings=SETTINGS)
@takes_flags
@click.pass_obj
def check(actions: Actions, flags: Flags) -> int:
    """Check flags and file without starting, and print what they mean on this machine.

    Warns about what would go wrong right now: an upstream that is down, ports in use, a storage directory that cannot be
    written. Nothing is asked of a CA. Exit status: 0, or 2 when the configuration cannot be used.
    """
    from edge.config.describe import describe  # noqa: PLC0415
    from edge.config.load import load  # noqa: PLC0415
    from edge.telemetry.terminal import printable  # noqa: PLC0415

    config = load(flags, os.environ)
    for line in (*describe(config), "", *actions.describe_machine(config)):
        click.echo(printable(line))
    complaints = actions.find_complaints(config)
    if complaints:
        raise ConfigError(complaints)
    warnings = actions.find_warnings(config)
    for warning in warnings:
        click.echo(f"edge: warning: {printable(warning)}", err=True)
    click.echo(f"edge: the configuration is good{', with warnings' if warnings else ''}", err=True)
    return 0


command_line.add_command(certs)
command_line.add_command(maintenance)
command_line.add_command(upgrade)
command_line.add_command(install_service)
command_line.add_command(cache)


@command_line.command("hash-password", cls=GroupedCommand, context_settings=SETTINGS)
def hash_password() -> int:
    """Make a hash for the users of [site.auth].

    Asks for the password twice on a terminal; otherwise the first line of standard input is the password.
    """
    from edge.config.password import hash_password as make_hash  # noqa: PLC0415

    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().removesuffix("\n")
    if not password:
        raise click.UsageError("an empty password protects nothing")
    click.echo(make_hash(password))
    return 0


@command_line.command(cls=GroupedCommand, context_settings=SETTINGS)
def version() -> int:
    """Print the versions that a bug report needs."""
    from edge.cli.versions import versions  # noqa: PLC0415

    for name, number in versions():
        click.echo(f"{name} {number}")
    click.echo(f"{platform.python_implementation()} {platform.python_version()}")
    return 0
