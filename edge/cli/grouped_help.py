"""Help in groups: twenty options in one alphabet teach nobody what belongs together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

MAX_WIDTH: Final = 100
"""Columns of help on a wide terminal; longer lines are hard to read."""

SETTINGS: Final = {"help_option_names": ["-h", "--help"], "max_content_width": MAX_WIDTH}


class GroupedOption(click.Option):
    """An option that stands below the heading `group`."""

    def __init__(self, *names: Any, group: str, **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self.group = group


def option(*names: str, group: str, **attributes: Any) -> Callable[[Function], Function]:
    """Like `click.option`, below a heading."""
    return click.option(*names, cls=GroupedOption, group=group, **attributes)


class GroupedCommand(click.Command):
    """A command whose help shows options below their headings, then its examples: (what it does, command) pairs."""

    def __init__(self, *arguments: Any, examples: tuple[tuple[str, str], ...] = (), **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.examples = examples

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Called by click while it writes help."""
        write_groups(ctx, formatter, self.get_params(ctx))
        write_examples(formatter, self.examples)


def write_groups(ctx: click.Context, formatter: click.HelpFormatter, parameters: list[click.Parameter]) -> None:
    """Options below their headings, in the order of their first member; those without a heading come last."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for parameter in parameters:
        record = parameter.get_help_record(ctx)
        if record is not None:
            groups.setdefault(getattr(parameter, "group", "Other"), []).append(record)
    for heading, records in groups.items():
        with formatter.section(heading):
            formatter.write_dl(records, col_max=28)


def write_examples(formatter: click.HelpFormatter, examples: tuple[tuple[str, str], ...]) -> None:
    """The examples, each a sentence and a command to copy."""
    if not examples:
        return
    with formatter.section("Examples"):
        for index, (sentence, command) in enumerate(examples):
            if index:
                formatter.write_paragraph()
            formatter.write_text(sentence)
            formatter.write(f"{'':{formatter.current_indent + 2}}{command}\n")
