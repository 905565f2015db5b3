"""The command `edge` itself: without the name of a command it is `edge run`."""

from __future__ import annotations

import difflib
from typing import Any

import click

from edge.cli.grouped_help import write_examples, write_groups

OWN_OPTIONS = frozenset(("-h", "--help", "--version"))
"""Options that belong to `edge`, not to `edge run`."""

DEFAULT = "run"


class RootCommand(click.Group):
    """Shows the flags of `edge run` in its help, because they are its flags too."""

    def __init__(self, *arguments: Any, examples: tuple[tuple[str, str], ...] = (), **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.examples = examples

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Called by click. Flags without a command are those of `run`."""
        if not args or (args[0].startswith("-") and args[0] not in OWN_OPTIONS):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Called by click. Raises: UsageError that knows what was probably meant."""
        word = args[0]
        if self.get_command(ctx, word) is None:
            raise click.UsageError(self._unknown(word), ctx)
        return super().resolve_command(ctx, args)

    def _unknown(self, word: str) -> str:
        close = difflib.get_close_matches(word, self.commands, n=1)
        if close:
            return f"there is no command {word!r}; did you mean {close[0]!r}?"
        meant = f"; to serve that name write: edge --domain {word}" if "." in word else ""
        return f"there is no command {word!r}{meant}"

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Called by click while it writes help."""
        formatter.write_usage(ctx.command_path, "[run] [OPTIONS]")
        formatter.write_usage(ctx.command_path, "COMMAND [OPTIONS]", prefix="   or: ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Called by click while it writes help: commands, then the flags of `run` in their groups, then examples."""
        self.format_commands(ctx, formatter)
        write_groups(ctx, formatter, [*self.commands[DEFAULT].params, *self.get_params(ctx)])
        with formatter.section("Exit status"):
            formatter.write_text("0 after an orderly stop, 2 for a usage or configuration error, 1 otherwise.")
        write_examples(formatter, self.examples)
