"""Makes `docs/design/limits.md` from `edge/http/limits.py`, which is the only place where these limits are written down.

    python docs/generate_limits.py

A test fails when the page is not what this makes.
"""

from __future__ import annotations

import ast
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "edge" / "http" / "limits.py"
PAGE = ROOT / "docs" / "design" / "limits.md"

HEADING = re.compile(r"# -- (.+?) -*$")

UNITS = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))

INTRODUCTION = """\
# Limits

<!-- made by: python docs/generate_limits.py -->

Every limit of the HTTP path, from `edge/http/limits.py`: what it is, why it is there, and what others do. Sizes are in bytes
or with their unit; times are seconds. Timeouts are idle times, so that long uploads and event streams live. Three are not,
because slow clients would hold connections for ever: a request head has a total deadline, a body a minimum rate, and
a response that a client does not take ends after a while whatever else the client sends.
"""


def made_page() -> str:
    """The page as it should be."""
    source = SOURCE.read_text()
    lines = source.splitlines()
    parts = [INTRODUCTION]
    for number, text in enumerate(lines):
        heading = HEADING.match(text)
        if heading:
            parts.append(f"## {heading[1][0].upper()}{heading[1][1:]}\n\n| limit | value | why |\n|---|---|---|\n")
            end = next((later for later in range(number + 1, len(lines)) if HEADING.match(lines[later])), len(lines))
            parts[-1] += "".join(_rows(source, number + 1, end))
    return "\n".join(parts)


def _rows(source: str, first: int, last: int) -> Iterator[str]:
    """Table rows for the constants on these lines; each must be followed by its reason."""
    values = runpy.run_path(str(SOURCE))
    body = ast.parse(source).body
    for statement, follower in zip(body, [*body[1:], None], strict=True):
        if not isinstance(statement, ast.AnnAssign) or not first < statement.lineno <= last:
            continue
        assert isinstance(statement.target, ast.Name)
        assert statement.value is not None
        assert isinstance(follower, ast.Expr), f"{statement.target.id} has no reason"
        assert isinstance(follower.value, ast.Constant)
        reason = " ".join(str(follower.value.value).split())
        yield f"| `{statement.target.id}` | {_in_words(values[statement.target.id], statement.value)} | {reason} |\n"


def _in_words(value: float, expression: ast.expr) -> str:
    """`8 KiB`, `10 s`, `10000`: floats are seconds, numbers that are written as a product are sizes."""
    if isinstance(value, float):
        return f"{value:g} s"
    if isinstance(expression, ast.BinOp):
        for size, unit in UNITS:
            if value % size == 0:
                return f"{value // size} {unit}"
    return str(value)


if __name__ == "__main__":
    PAGE.write_text(made_page())
