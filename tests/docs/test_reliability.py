"""Each promise of docs/reliability.md names tests that exist."""

from __future__ import annotations

import ast
import re

from tests.docs.pages import REPOSITORY

PAGE = REPOSITORY / "docs" / "reliability.md"

_TEST = re.compile(r"`(\w[\w/]*\.py)::(test_\w+)`")
_HEADER = "| promise | held by |"


def promises() -> list[str]:
    """The rows of all tables of promises."""
    rows: list[str] = []
    inside = False
    for line in PAGE.read_text().splitlines():
        inside = line.startswith("|") and (inside or line.startswith(_HEADER))
        if inside and not line.startswith((_HEADER, "|---")):
            rows.append(line)
    return rows


def functions(file: str) -> set[str]:
    """The test functions in a file below tests/."""
    tree = ast.parse((REPOSITORY / "tests" / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_promise_names_a_test() -> None:
    """A row without a test would be a hope."""
    assert promises()
    assert [row for row in promises() if not _TEST.search(row)] == []


def test_the_named_tests_exist() -> None:
    """And are called as the page says."""
    named = set(_TEST.findall(PAGE.read_text()))
    assert [f"{file}::{name}" for file, name in sorted(named) if name not in functions(file)] == []
