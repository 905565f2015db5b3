"""The reference page of the command line, made from the commands themselves.

python -m edge.cli.reference > docs/reference/command-line.md
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Final

import click

from edge.cli.commands import EXAMPLES, command_line
from edge.cli.grouped_help import GroupedOption
from edge.cli.options import SITE

COMMAND: Final = "python -m edge.cli.reference > docs/reference/command-line.md"

INTRODUCTION: Final = f"""\
# Command line

<!-- made by: {COMMAND} -->

`edge [OPTIONS]` is the same as `edge run [OPTIONS]`. Options follow their command: `edge check --domain example.com`.

| exit status | meaning |
|---|---|
| 0 | done; for `run`: after an orderly stop |
| 2 | usage or configuration error; one line for each complaint on standard error |
| 1 | anything else, such as a port that is in use; for `certs`: something needs attention, or was not done |

Data goes to standard output, talk to standard error. `NO_COLOR` turns colours off. `EDGE_DEBUG=1` adds debug lines to the log
and tracebacks to internal errors.
"""


def command_line_page() -> str:
    """The page as Markdown."""
    context = click.Context(command_line, info_name="edge")
    sections = [_section(name, command, context) for name, command in _commands(command_line)]
    return INTRODUCTION + "".join(sections) + _examples()


def _commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """All commands in the order of `--help`, those of groups behind the name of the group."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def _section(name: str, command: click.Command, context: click.Context) -> str:
    inner = click.Context(command, parent=context, info_name=name)
    groups: dict[str, list[str]] = {}
    for parameter in command.params:
        if not isinstance(parameter, GroupedOption):
            continue
        record = parameter.get_help_record(inner)
        assert record is not None
        groups.setdefault(parameter.group, []).append(f"| `{record[0]}` | {record[1]} |")
    words = "".join(f" {word.make_metavar(inner)}" for word in command.params if isinstance(word, click.Argument))
    text = [f"\n## `edge {name}{words}`\n", inspect.cleandoc(str(command.help)), ""]
    if name != "run" and SITE in groups:
        groups = {heading: rows for heading, rows in groups.items() if heading == "Options"}
        text += ["Takes the options of `edge run`" + (", and these:" if groups else "."), ""]
    for heading, rows in groups.items():
        text += [*([f"{heading}:", ""] if len(groups) > 1 else []), "| option | meaning |", "|---|---|", *rows, ""]
    return "\n".join(text).replace("\n\n\n", "\n\n")


def _examples() -> str:
    blocks = [f"\n{sentence}\n\n```sh\n{command}\n```\n" for sentence, command in EXAMPLES]
    return "\n## Examples\n" + "".join(blocks)


if __name__ == "__main__":
    sys.stdout.write(command_line_page())
