"""requirements.lock: what `make lock` writes agrees with pyproject.toml, and names every package with its hashes."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "requirements.lock").read_text()
ENTRY = re.compile(r"^([a-z0-9-]+)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)
LOCKED = {match[1]: match[2] for match in ENTRY.finditer(TEXT)}


def wanted() -> list[Requirement]:
    """What an installation of `edge[fast]` asks for itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [Requirement(text) for text in (*project["dependencies"], *project["optional-dependencies"]["fast"])]


@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_the_lock_satisfies_the_project(requirement: Requirement) -> None:
    """Each dependency is locked, at a version that pyproject.toml allows. If not: make lock."""
    assert LOCKED[canonicalize_name(requirement.name)] in requirement.specifier


def test_nothing_is_locked_without_hashes() -> None:
    """Every line is a comment, a version or a hash: no address of an index, no option."""
    rest = ENTRY.sub("", TEXT)
    assert not [line for line in rest.splitlines() if line.strip() and not line.strip().startswith("#")]
    assert "://" not in TEXT
    assert len(LOCKED) >= len(wanted())


@pytest.mark.parametrize("name", sorted(LOCKED))
def test_what_the_locked_packages_need_is_locked(name: str) -> None:
    """An installation with `--require-hashes` is complete, as far as the packages that are installed here are those locked."""
    try:
        needed = requires(name) if version(name) == LOCKED[name] else None
    except PackageNotFoundError:
        needed = None
    for requirement in map(Requirement, needed or ()):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            assert canonicalize_name(requirement.name) in LOCKED
