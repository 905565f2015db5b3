"""Whatever a page tells its reader to type works.

`console` and `sh` blocks are promises. A command is run where that is possible without a server of its own: curl against the
running demo. Everything else is parsed by what it speaks to: edge's own command line, gunicorn's, the Makefile, the Compose
file, the project's extras. A command of a form that is not known here fails, so nothing slips through unchecked.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from gunicorn.config import Config as GunicornConfig

from tests.blackbox.demo_process import DemoProcess
from tests.docs.pages import PAGES, REPOSITORY, Command, blocks, commands, name_of
from tests.docs.readers_machine import ReadersMachine

COMMANDS = [command for page in PAGES for command in commands(page)]

DEMO_PATH = ".cache/demo"
DEMO_URL = re.compile(r"\bhttps?://localhost:(8443|8080)/")

SYSTEM_TOOLS = frozenset(
    (
        "apt",
        "cd",
        "chmod",
        "chown",
        "cp",
        "grep",
        "journalctl",
        "mkdir",
        "openssl",
        "systemd-analyze",
        "update-ca-certificates",
        "useradd",
    )
)
"""Tools of the operating system: they need root, a service or a file of the reader's, and are not ours to test."""

SYSTEMCTL_VERBS = frozenset(("daemon-reload", "disable", "enable", "reload", "restart", "start", "status", "stop"))

COMPOSE_VERBS = frozenset(("cp", "down", "exec", "logs", "stop", "up"))

MANAGE_COMMANDS = frozenset(("check", "collectstatic", "createsuperuser", "migrate"))
"""Of Django and its own applications."""

CURL_OPTIONS = frozenset(("--cacert", "--output", "--resolve", "-I", "-i"))
"""Options of curl that pages use with addresses that only the reader has."""


def simple_commands(text: str) -> Iterator[list[str]]:
    """The words of each command in a line, pipes and `&&` taken apart, `sudo` removed."""
    words: list[str] = []
    for word in [*shlex.split(text), "|"]:
        if word in ("|", "&&"):
            yield words[1:] if words[0] == "sudo" else words
            words = []
        else:
            words.append(word)


class Checker:
    """One method per program, called with the words behind it."""

    def __init__(self, machine: ReadersMachine, capsys: pytest.CaptureFixture[str], demo: DemoProcess) -> None:
        self._machine = machine
        self._capsys = capsys
        self._demo = demo

    def check(self, words: list[str]) -> None:
        """Fails when the command cannot work."""
        program = Path(words[0]).name
        if program in SYSTEM_TOOLS:
            return
        known: dict[str, Callable[[list[str]], None]] = {
            "curl": self._curl,
            "docker": self._docker,
            "edge": self._edge,
            "gunicorn": self._gunicorn,
            "make": self._make,
            "pip": self._pip,
            "python": self._python,
            "python3": self._python,
            "systemctl": self._systemctl,
        }
        assert program in known, f"a form of command that no check is written for: {program}"
        known[program](words[1:])

    def _edge(self, words: list[str]) -> None:
        self._machine.check_edge(words, self._capsys)

    def _make(self, words: list[str]) -> None:
        makefile = (REPOSITORY / "Makefile").read_text()
        for target in words:
            assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), f"no target {target}"

    def _curl(self, words: list[str]) -> None:
        if any(DEMO_URL.match(word) for word in words):
            self._demo.curl(*words)
            return
        options = {word for word in words if word.startswith("-")}
        assert options <= CURL_OPTIONS, f"unknown options {options - CURL_OPTIONS}"
        assert any(word.startswith(("http://", "https://")) for word in words)

    def _docker(self, words: list[str]) -> None:
        compose, verb, *rest = words
        assert compose == "compose"
        assert verb in COMPOSE_VERBS
        services = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
        if verb == "cp":
            rest = [rest[0].partition(":")[0]]
        if verb == "exec":
            assert rest[1] == "edge", "what runs in a container is edge"
            self._edge(rest[2:])
            rest = rest[:1]
        for service in [word for word in rest if not word.startswith("-")]:
            assert service in services, f"no service {service}"

    def _gunicorn(self, words: list[str]) -> None:
        GunicornConfig().parser().parse_args(words)

    def _pip(self, words: list[str]) -> None:
        assert words[0] == "install"
        extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        for word in words[1:]:
            if match := re.fullmatch(r"\.\[(\w+)\]", word):
                assert match[1] in extras, f"no extra {match[1]}"
            else:
                assert word in ("--upgrade", "-r", "requirements.txt"), word

    def _python(self, words: list[str]) -> None:
        if words[0] == "manage.py":
            assert words[1] in MANAGE_COMMANDS
        elif words[:2] == ["-m", "pytest"]:
            assert all((REPOSITORY / word).exists() for word in words[2:])
        elif words[:2] == ["-m", "venv"]:
            assert len(words) == 3
        else:
            self._script(words)

    def _script(self, words: list[str]) -> None:
        """A script of ours, whose help must know the options."""
        script = REPOSITORY / words[0]
        usage = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True, check=True).stdout
        for option in words[1:]:
            assert not option.startswith("--") or option in usage, f"{words[0]} has no {option}"

    def _systemctl(self, words: list[str]) -> None:
        verb, *rest = words
        assert verb in SYSTEMCTL_VERBS
        for unit in [word for word in rest if not word.startswith("-")]:
            assert unit in UNITS, f"no page has a unit {unit}"


MADE_UNITS = frozenset(("edge", "edge.socket", "edge-http.socket"))
"""Units that `edge install-service` writes."""

UNITS = MADE_UNITS | {
    match for page in PAGES for match in re.findall(r"`/etc/systemd/system/(\w+)\.service`", page.read_text())
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoProcess]:
    with DemoProcess(tmp_path_factory.mktemp("demo")) as process:
        yield process


@pytest.fixture
def checker(tmp_path: Path, capsys: pytest.CaptureFixture[str], demo: DemoProcess) -> Checker:
    return Checker(ReadersMachine(tmp_path), capsys, demo)


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_commands_work(command: Command, checker: Checker) -> None:
    """A command in a `console` or `sh` block runs, or is accepted by the program that it is for."""
    for words in simple_commands(command.text):
        checker.check(words)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_units_start_something(page: Path, checker: Checker) -> None:
    """What a systemd unit on a page starts is accepted by the program that it is for."""
    for block in blocks(page):
        for line in block.lines if block.language == "ini" else []:
            if line.startswith("ExecStart="):
                checker.check(shlex.split(line.removeprefix("ExecStart=")))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_configurations_are_accepted(page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An `edge.toml` on a page can be used."""
    machine = ReadersMachine(tmp_path)
    for block in blocks(page):
        if block.language == "toml":
            machine.check_config("\n".join(block.lines), capsys)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_compose_fragments_are_accepted(page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Flags in a fragment of a Compose file on a page are real ones."""
    machine = ReadersMachine(tmp_path)
    for block in blocks(page):
        if block.language == "yaml":
            services = yaml.safe_load("\n".join(block.lines))["services"]
            machine.check_edge(services["edge"]["command"], capsys)
