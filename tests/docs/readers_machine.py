"""A stand-in for the machine of somebody who follows the documentation: what pages name exists there, not here.

Flags and files of edge are checked by the real command line and the real loader; before that, paths are replaced by ones that
exist below a temporary directory. `--user` is left out, since only root can become somebody else.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.certs.requests import Answer
from edge.cli.actions import Actions
from edge.cli.main import execute
from edge.process.inspection import CertificateStatus
from edge.process.pid_file import Supervised
from tests.certificates import make_certified_key

SERVING = ("run", "check")

EXAMPLE = CertificateStatus("example.com-0a1b2c3d", ("example.com",), "valid", "Let's Encrypt", in_use=True)

SWITCHES = ("--write", "--socket-activation")
"""Options without a value."""


class ReadersMachine:
    """Has a static directory, a key pair, a configuration file, and room for logs."""

    def __init__(self, root: Path) -> None:
        self._directory = root / "directory"
        self._directory.mkdir()
        self._certificate, self._key, self._config = root / "certificate.pem", root / "key.pem", root / "edge.toml"
        pair = make_certified_key("example.com")
        self._certificate.write_bytes(pair.chain)
        self._key.write_bytes(pair.key)
        self._config.write_text(
            '[[site]]\nnames = ["example.com"]\nupstream = "127.0.0.1:8000"\n[notify]\ncommand = "true"\n'
        )
        self._log = root / "access.log"
        self._from_page = root / "from_page.toml"

    def check_edge(self, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        """What stands behind `edge` on a page is accepted: flags are checked by `edge check`, other commands are run."""
        if not arguments or arguments[0].startswith("-"):
            arguments = ["check", *arguments]
        command, *flags = arguments
        if command in SERVING:
            arguments = ["check", *self._here(flags)]
        elif command == "certs":
            arguments = [command, *self._certs(flags)]
        elif command in ("maintenance", "doctor"):
            arguments = [command, *flags[:1], *self._here(flags[1:])]
        elif command in ("install-service", "upgrade"):
            switches = [word for word in flags if word in SWITCHES]
            arguments = [command, *switches, *self._here([word for word in flags if word not in SWITCHES])]
        nothing = Actions(
            run=lambda config, reload: 0,
            find_warnings=lambda config: [],
            read_certificates=lambda storage: [EXAMPLE],
            ask_keeper=lambda storage, request, arguments: Answer(True, ()),
            examine=lambda config, name: Answer(True, ()),
            import_certificates=lambda config, directory, pair, dry_run: Answer(True, ()),
            test_notices=lambda config: Answer(True, ()),
            begin_maintenance=lambda storage, notice: None,
            end_maintenance=lambda storage: True,
            request_upgrade=lambda storage: (Supervised(1, 1, "1.0"), Supervised(2, 2, "2.0")),
            write_units=list,
            purge_cache=lambda storage, site, pattern: True,
        )
        status = execute(arguments, nothing)
        assert status == 0, capsys.readouterr().err

    def _certs(self, words: list[str]) -> list[str]:
        """Only what stands behind these options is a path here."""
        found = list(words)
        for index, word in enumerate(words[:-1]):
            if word == "--config":
                found[index + 1] = str(self._config)
        return [*found, "--yes"] if found[:1] == ["revoke"] and "--yes" not in found else found

    def check_config(self, text: str, capsys: pytest.CaptureFixture[str]) -> None:
        """An `edge.toml` of a page is accepted."""
        for written, here in self._paths(text):
            text = text.replace(f'"{written}"', f'"{here}"')
        text = re.sub(r'(_file=)[^&"\s]+', rf"\1{self._key}", text)  # inside the URL of a storage
        self._from_page.write_text(text.replace('\nuser = "www-data"', ""))
        assert execute(["check", "--config", str(self._from_page)], Actions(find_warnings=lambda config: [])) == 0, (
            capsys.readouterr().err
        )

    def _here(self, flags: list[str]) -> list[str]:
        """The flags with paths that exist here."""
        words = iter(flags)
        found = []
        for word in words:
            name, has_value, value = word.partition("=")
            if not has_value:
                value = next(words, "")
            if name in ("--static", "--media", "--internal"):
                value = f"{value.partition('=')[0]}={self._directory}"
            elif name == "--access-log":
                value = value if value in ("-", "off") else str(self._log)
            stand_in = {"--config": self._config, "--cert": self._certificate, "--key": self._key,
                        "--acme-ca-file": self._certificate, "--page": self._certificate}.get(name)  # fmt: skip
            if name != "--user":
                found += [name, str(stand_in or value)]
        return found

    def _paths(self, text: str) -> Iterator[tuple[str, Path]]:
        document = tomllib.loads(text)
        for site in document.get("site", []):
            for key in ("static", "media", "internal"):
                yield from ((directory, self._directory) for directory in site.get(key, {}).values())
            yield from ((page, self._config) for page in site.get("error_pages", {}).values())
            yield from ((site[key], path) for key, path in self._pair.items() if key in site)
        if python_path := document.get("on_demand", {}).get("python_path"):
            yield python_path, self._directory
        access = document.get("log", {}).get("access", "-")
        if access not in ("-", "off"):
            yield access, self._log
        yield from ((written, self._key) for written in _secret_files(document))

    @property
    def _pair(self) -> dict[str, Path]:
        return {"cert": self._certificate, "key": self._key}


def _secret_files(value: Any) -> Iterator[str]:
    """Values of keys like `eab_hmac_file`, wherever they stand."""
    if isinstance(value, list):
        for each in value:
            yield from _secret_files(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key.endswith("_file") and isinstance(each, str):
                yield each
            else:
                yield from _secret_files(each)
