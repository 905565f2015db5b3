"""The command line: runs a command and turns what it raises into words and an exit status.

    0   after an orderly stop
    2   usage or configuration error: one line for each complaint
    1   anything else: why, and what to do

A person's mistake never shows a traceback. Anything that is no `EdgeError` is a bug of edge and says so; EDGE_DEBUG=1 in the
environment adds the traceback.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Final, NoReturn

import click

from edge.cli.actions import Actions
from edge.cli.commands import command_line
from edge.errors import ConfigError, EdgeError, StartError

OK: Final = 0
FAILED: Final = 1
MISUSED: Final = 2


def main() -> NoReturn:
    """Run the command line of this process."""
    # Until the supervisor hears them, "reload", "reopen the logs" and "upgrade" ask for nothing that a start does not do anyway;
    # unheard they would end the process, and with it a service that is reloaded right after its start.
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    raise SystemExit(execute(sys.argv[1:], Actions()))


def execute(arguments: Sequence[str], actions: Actions) -> int:
    """The exit status of one command; complaints have been printed to standard error."""
    try:
        status = command_line.main(args=list(arguments), prog_name="edge", standalone_mode=False, obj=actions)
    except click.ClickException as error:
        message = error.format_message()
        return _complain(MISUSED, [message[:1].lower() + message[1:]], ["try: edge --help"])
    except ConfigError as error:
        return _complain(MISUSED, error.complaints)
    except StartError as error:
        return _complain(FAILED, [str(error)], error.hints)
    except EdgeError as error:
        return _complain(FAILED, [str(error)])
    except (click.Abort, KeyboardInterrupt):
        return _complain(FAILED, ["interrupted"])
    except BrokenPipeError:
        return _leave_closed_pipe()
    except Exception as error:  # whatever is left is a bug, and a person reads this
        return _confess(error)
    return status if isinstance(status, int) else OK


def _complain(status: int, complaints: Sequence[str], hints: Sequence[str] = ()) -> int:
    from edge.telemetry.terminal import printable  # noqa: PLC0415  # help must not wait for it

    for complaint in complaints:
        click.echo(f"edge: {printable(complaint)}", err=True)
    for hint in hints:
        click.echo(f"      {printable(hint)}", err=True)
    return status


def _leave_closed_pipe() -> int:
    """The reader has seen enough (`edge certs | head`). Nothing may be flushed into its pipe while Python exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED


def _confess(error: Exception) -> int:
    if os.environ.get("EDGE_DEBUG"):
        traceback.print_exception(error)
    first_line = str(error).partition("\n")[0]
    return _complain(
        FAILED,
        [f"internal error, this is a bug: {type(error).__name__}: {first_line}"],
        [] if os.environ.get("EDGE_DEBUG") else ["EDGE_DEBUG=1 in the environment shows where"],
    )
