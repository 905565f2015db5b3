"""`edge certs`: what there is, and what may be asked for by hand.

Exit status of what shows: 0 all is well, 1 something needs attention or cannot be told, 2 usage; of what does: 0 done, 1 not
done, 2 usage.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from edge.cli.actions import Actions
from edge.cli.grouped_help import SETTINGS, GroupedCommand, option, write_groups
from edge.cli.options import add_options, arguments_of, takes_flags
from edge.errors import ConfigError

if TYPE_CHECKING:
    from edge.config.flags import Flags
    from edge.process.errands import Answer, Request
    from edge.process.inspection import CertificateStatus

WELL: Final = 0
ATTENTION: Final = 1

REASONS: Final = ("unspecified", "key-compromise", "superseded", "cessation")
"""The values of `edge.certs.requests.Reason`, which `--help` must not wait for."""

WHERE: Final = (
    option("--config", group="Options", metavar="FILE", help="Look into the storage directory that this edge.toml names."),
    option("--storage", group="Options", metavar="DIR",
           help="The storage directory. Default: /var/lib/edge as root, else $XDG_DATA_HOME/edge."),
)  # fmt: skip


class CertsGroup(click.Group):
    """`edge certs` and `edge certs NAME` are `edge certs show`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Called by click."""
        if not args or not (args[0] in self.commands or args[0] in ("-h", "--help")):
            args = ["show", *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Called by click while it writes help."""
        formatter.write_usage(ctx.command_path, "[show] [NAME] [OPTIONS]")
        formatter.write_usage(ctx.command_path, "COMMAND [OPTIONS]", prefix="   or: ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Called by click while it writes help."""
        self.format_commands(ctx, formatter)
        write_groups(ctx, formatter, [*self.commands["show"].params, *self.get_params(ctx)])
        with formatter.section("Exit status"):
            formatter.write_text("0 all is well, or done; 1 something needs attention, or was not done; 2 usage error.")


@click.group(cls=CertsGroup, context_settings=SETTINGS)
def certs() -> None:
    """Show certificates; renew, revoke and import them."""


@certs.command(cls=GroupedCommand, context_settings=SETTINGS)
@click.argument("name", required=False)
@add_options((*WHERE, option("--json", "as_json", group="Options", is_flag=True,
                             help="JSON for programs; times are POSIX seconds.")))  # fmt: skip
@click.pass_obj
def show(actions: Actions, name: str | None, config: str | None, storage: str | None, as_json: bool) -> int:
    """Show state, expiry, next renewal and why, what the CA still allows, and the last problem; of NAME also its history.

    Exit status: 0 when all is well, 1 when something needs attention: a certificate in use is missing, damaged or expired,
    has less than a quarter of its lifetime left, or cannot be renewed before somebody changes something.
    """
    from edge.cli.screens import certificate_details, certificate_json, certificate_table  # noqa: PLC0415
    from edge.config.flags import Flags  # noqa: PLC0415  # help must not wait for the rooms behind it
    from edge.config.load import load_storage  # noqa: PLC0415

    directory = load_storage(Flags(config=config, storage=storage), os.environ)
    certificates = actions.read_certificates(directory)
    if name is not None:
        wanted = _spelled(name)
        certificates = [each for each in certificates if wanted in (*each.names, each.directory)]
    if as_json:
        click.echo(certificate_json(certificates))
    elif not certificates:
        what = "no certificates" if name is None else f"no certificate for {name}"
        click.echo(f"edge: {what} in {directory}{_service_hint(directory)}", err=True)
    elif name is None:
        click.echo(certificate_table(certificates), nl=False)
    else:
        click.echo("\n".join(map(certificate_details, certificates)), nl=False)
    return _health(certificates, name)


def _spelled(name: str) -> str:
    """A name as the configuration spells it; what is no name may be a certificate's directory and stays."""
    from edge.config.names import parse_name  # noqa: PLC0415

    try:
        return parse_name(name)
    except ValueError:
        return name


def _health(certificates: list[CertificateStatus], name: str | None) -> int:
    if name is not None and not certificates:
        return ATTENTION
    return ATTENTION if any(each.attention for each in certificates) else WELL


def _service_hint(directory: str) -> str:
    from edge.config.storage_setting import SYSTEM_STORAGE  # noqa: PLC0415

    if os.geteuid() == 0 or directory == SYSTEM_STORAGE:
        return ""
    return f"; a service started as root keeps them in {SYSTEM_STORAGE}: sudo edge certs"


@certs.command(cls=GroupedCommand, context_settings=SETTINGS)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@option("--force", group="Options", is_flag=True, help="Also when the certificate is not due yet.")
@takes_flags
@click.pass_obj
def renew(actions: Actions, names: tuple[str, ...], force: bool, flags: Flags) -> int:
    """Order new certificates for these names now, if they are due, overdue or failing.

    The running edge does it. If none runs, one is started with the given options for as long as it takes. What the CA has
    forbidden for now, or is certain to refuse, is not tried.
    """
    from edge.process.errands import Renew  # noqa: PLC0415

    return _ask(actions, Renew(tuple(map(_spelled, names)), force), flags)


def _ask(actions: Actions, request: Request, flags: Flags) -> int:
    from edge.config.load import load_storage  # noqa: PLC0415

    storage = load_storage(flags, os.environ)
    return _tell(actions.ask_keeper(storage, request, arguments_of(flags)))


def _tell(answer: Answer) -> int:
    from edge.telemetry.terminal import printable  # noqa: PLC0415

    for sentence in answer.sentences:
        click.echo(f"edge: {printable(sentence)}", err=True)
    return WELL if answer.is_done else ATTENTION


@certs.command(cls=GroupedCommand, context_settings=SETTINGS)
@click.argument("name")
@option("--reason", group="Options", type=click.Choice(REASONS), default="unspecified", show_default=True,
        help="key-compromise: somebody else may have the key; cessation: the name is served no longer.")  # fmt: skip
@option("--yes", group="Options", is_flag=True, help="Do not ask.")
@takes_flags
@click.pass_obj
def revoke(actions: Actions, name: str, reason: str, yes: bool, flags: Flags) -> int:
    """Revoke the certificate of NAME, after a new one has taken its place.

    With --reason key-compromise it is revoked at once, and replaced as soon as that is possible. This cannot be undone.
    """
    from edge.process.errands import Reason, Revoke  # noqa: PLC0415

    if not yes:
        _confirm(f"Revoke the certificate of {name} for good?")
    return _ask(actions, Revoke(_spelled(name), Reason(reason)), flags)


def _confirm(question: str) -> None:
    """Raises: UsageError without a terminal, Abort for a no."""
    if not sys.stdin.isatty():
        raise click.UsageError("this cannot be undone: say --yes where nobody can be asked")
    click.confirm(question, abort=True, err=True)


@certs.command(cls=GroupedCommand, context_settings=SETTINGS)
@click.argument("action", type=click.Choice(("new-key", "replace", "deactivate")))
@option(
    "--ca",
    group="Options",
    default="",
    metavar="NAME",
    help="Which CA, as edge certs names it. Default: the preferred one.",
)
@option("--yes", group="Options", is_flag=True, help="Do not ask.")
@takes_flags
@click.pass_obj
def account(actions: Actions, action: str, ca: str, yes: bool, flags: Flags) -> int:
    """Change the account at a CA.

    new-key gives the account another key; CAA records that name the account stay true. replace puts an account aside that the
    CA has deactivated; the next order registers another one. deactivate ends the account at the CA for good.
    """
    from edge.process.errands import ChangeAccount  # noqa: PLC0415

    if action != "new-key" and not yes:
        _confirm(f"{action.capitalize()} the account?")
    return _ask(actions, ChangeAccount(action, ca), flags)  # type: ignore[arg-type]  # click has checked the word


@certs.command("import", cls=GroupedCommand, context_settings=SETTINGS)
@click.argument("directory", required=False, metavar="[DIR]")
@add_options((
    option("--pair", group="Options", nargs=2, metavar="CERT KEY", help="Take one certificate chain and its key, both PEM."),
    option("--dry-run", group="Options", is_flag=True, help="Say what would be done, change nothing."),
    option("--acme-directory", group="Options", metavar="URL", help="The CA that renews, if --config does not say it."),
    *WHERE,
))  # fmt: skip
@click.pass_obj
def import_(
    actions: Actions, /, directory: str | None, pair: tuple[str, str] | None, dry_run: bool, **where: Any
) -> int:
    """Take over certificates and ACME accounts from certbot (DIR is /etc/letsencrypt) or Caddy (DIR is its data directory).

    Nothing is ordered, and DIR is not changed. What edge has already is left as it is, so the command may be repeated.
    """
    from edge.config.flags import Flags  # noqa: PLC0415
    from edge.config.load import load  # noqa: PLC0415

    if (directory is None) == (pair is None):
        raise click.UsageError("name a directory, like /etc/letsencrypt, or --pair CERT KEY")
    config = load(Flags(**where), os.environ)
    return _tell(actions.import_certificates(config, directory or "", pair, dry_run))


@certs.command("test-notify", cls=GroupedCommand, context_settings=SETTINGS)
@add_options((option("--config", group="Options", metavar="FILE", help="The edge.toml with [notify]."),))
@click.pass_obj
def test_notify(actions: Actions, config: str | None) -> int:
    """Send a notice by every way that [notify] names, and say which of them worked."""
    from edge.config.flags import Flags  # noqa: PLC0415
    from edge.config.load import load  # noqa: PLC0415

    if config is None:
        raise click.UsageError("--config FILE is needed: [notify] says who is told")
    loaded = load(Flags(config=config), os.environ)
    if not loaded.notify:
        raise ConfigError([f"{config}: there is no [notify], so nobody is told"])
    return _tell(actions.test_notices(loaded))
