"""Help, version, and the contract of flags."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from edge.cli.commands import command_line
from edge.cli.reference import COMMAND, command_line_page
from edge.config.flags import Flags, flag_name
from edge.config.load import load
from tests.cli.fakes import CommandLine

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "command-line.md"

CONTRACT = [
    # flag, metavar, repeatable, what the help says about the default
    ("--domain", "NAME", True, "None given: localhost"),
    ("--upstream", "ADDR", True, ""),
    ("--static", "PREFIX=DIR", True, ""),
    ("--media", "PREFIX=DIR", True, ""),
    ("--internal", "PREFIX=DIR", True, ""),
    ("--config", "FILE", False, ""),
    ("--email", "ADDR", False, "Optional"),
    ("--acme-directory", "URL", False, "letsencrypt (the default) or letsencrypt-staging"),
    ("--acme-ca-file", "FILE", False, ""),
    ("--cert", "FILE", False, ""),
    ("--key", "FILE", False, ""),
    ("--storage", "DIR", False, "Default: /var/lib/edge as root, else $XDG_DATA_HOME/edge"),
    ("--bind", "ADDR", True, "Default: all addresses, IPv6 and IPv4"),
    ("--http-port", "N", False, "Default: 80. 0 turns plain HTTP off"),
    ("--https-port", "N", False, "Default: 443"),
    ("--trusted-proxies", "NETWORK", True, "a range, private or cloudflare"),
    ("--workers", "N", False, "Default: one per CPU"),
    ("--access-log", "WHERE", False, "off, - (standard output, the default) or a file"),
    ("--log-format", "FORMAT", False, "text or json"),
    ("--user", "NAME", False, ""),
    ("--http2-engine", "ENGINE", False, "auto (the default), h2 or ngh2"),
    ("--loop", "LOOP", False, "auto (the default), asyncio or uvloop"),
    ("--confinement", "HOW", False, "auto (the default)"),
]
"""The command line that programs outside rely on."""


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(("flag", "metavar", "repeatable", "words"), CONTRACT)
def test_every_flag_of_the_contract_exists(command: str, flag: str, metavar: str, repeatable: bool, words: str) -> None:
    """Under its name, with its shape, and with its default in the help."""
    options = {name: each for each in command_line.commands[command].params for name in each.opts}
    option = options[flag]
    assert isinstance(option, click.Option)
    assert (option.metavar, option.multiple) == (metavar, repeatable)
    assert words in str(option.help)


def test_there_is_no_flag_beyond_the_contract() -> None:
    """And each one has its field."""
    flags = [name for each in command_line.commands["run"].params for name in each.opts]
    assert sorted(flags) == sorted(flag for flag, _, _, _ in CONTRACT)
    assert sorted(flags) == sorted(map(flag_name, Flags.__struct_fields__))


def test_documented_defaults_hold() -> None:
    """What the help promises is what no flag gives."""
    config = load(Flags(), {"HOME": "/home/a"})
    assert config.names == ("localhost",)
    assert (config.listen.http_port, config.listen.https_port, config.listen.bind) == (80, 443, ())
    assert (config.log.access, config.http2_engine, config.loop) == ("-", "auto", "auto")


def test_help_shows_commands_groups_and_two_examples(edge: CommandLine) -> None:
    """`edge --help` and `edge -h` show the flags of `run` too, on standard output."""
    outcome = edge("--help")
    assert outcome.status == 0
    assert outcome.out == edge("-h").out
    headings = [
        "Commands:",
        "What to serve:",
        "Certificates:",
        "Where to listen:",
        "How to run:",
        "Exit status:",
        "Examples:",
    ]
    positions = [outcome.out.index(heading) for heading in headings]
    assert positions == sorted(positions)
    assert outcome.out.count("    edge --") == 2
    assert all(flag in outcome.out for flag, _, _, _ in CONTRACT)


@pytest.mark.parametrize("arguments", [("--version",), ("version",)])
def test_the_version_is_printed(edge: CommandLine, arguments: tuple[str, ...]) -> None:
    """One word and a number first."""
    outcome = edge(*arguments)
    assert outcome.status == 0
    assert outcome.out.startswith("edge ")


def test_help_does_not_wait_for_the_rooms_behind_it() -> None:
    """Nothing of TLS, ACME, HTTP or the terminal library is imported to print help."""
    code = (
        "import sys\nfrom edge.cli.actions import Actions\nfrom edge.cli.main import execute\n"
        "execute(['--help'], Actions())\n"
        "print(sorted({each.split('.')[0] for each in sys.modules} & "
        "{'msgspec', 'structlog', 'rich', 'ssl', 'asyncio', 'idna', 'cryptography', 'acme', 'h2'}), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == "[]\n"


def test_the_reference_page_is_what_the_commands_say() -> None:
    """After a change of the command line, make the page again."""
    assert PAGE.read_text() == command_line_page(), f"run: {COMMAND}"
