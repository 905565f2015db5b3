"""Rules of the build that translates the hot path to C."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import edge.wire.http1
from edge.cli.versions import is_compiled, versions

REPOSITORY = Path(__file__).resolve().parent.parent


def compiled_modules() -> list[str]:
    """The paths in setup.py, which cannot be imported: it builds."""
    tree = ast.parse((REPOSITORY / "setup.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "COMPILED":
            return list(ast.literal_eval(node.value))
    return []


def test_every_module_that_is_compiled_exists_and_is_named_once() -> None:
    """A module that was moved would silently run as plain Python."""
    modules = compiled_modules()
    assert len(modules) > 30
    assert modules == sorted(set(modules))
    assert [each for each in modules if not (REPOSITORY / each).is_file()] == []


def test_version_tells_whether_the_hot_path_is_compiled() -> None:
    """What `edge version` says is what the interpreter has loaded."""
    assert is_compiled() == (not str(edge.wire.http1.__file__).endswith(".py"))
    assert ("hot path", "compiled" if is_compiled() else "plain Python") in versions()


def test_an_unknown_mode_ends_the_build_with_a_sentence() -> None:
    """EDGE_COMPILE takes three words."""
    command = [sys.executable, "setup.py", "--quiet", "build_ext"]
    environment = {**os.environ, "EDGE_COMPILE": "perhaps"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == "EDGE_COMPILE=perhaps: must be one of auto, never, always"


def names_of_classes(path: Path) -> set[str]:
    """Classes that a module defines."""
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)}


def test_whoever_inherits_from_a_compiled_class_is_compiled() -> None:
    """mypyc's classes have no interpreted children: making one fails, and only when it is made."""
    compiled = {REPOSITORY / each for each in compiled_modules()}
    parents = {name for path in compiled for name in names_of_classes(path)}
    children = [
        f"{path.relative_to(REPOSITORY)}: {node.name}"
        for path in sorted(set((REPOSITORY / "edge").rglob("*.py")) - compiled)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if parents & {name.id for name in ast.walk(base) if isinstance(name, ast.Name)}
    ]
    assert children == []
