"""The rooms of `edge/` form layers; this file is the only place that says which may see which."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "edge"

ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "config": {"errors"},
    "http": {"errors"},
    "telemetry": {"errors", "config"},
    "wire": {"errors", "http"},
    "storage": {"errors", "config"},
    "tls": {"errors", "config", "telemetry"},
    "net": {"errors", "config", "telemetry", "http"},
    "certs": {"errors", "config", "telemetry", "storage", "tls"},
    "upstream": {"errors", "config", "telemetry", "http", "wire", "net"},
    "server": {"errors", "config", "telemetry", "http", "wire", "tls", "net"},
    "handlers": {"errors", "config", "telemetry", "http", "net", "certs", "upstream"},
    "process": {
        "errors", "config", "http", "telemetry", "wire", "storage", "tls", "net", "certs", "upstream", "server", "handlers",
    },
    "cli": {"errors", "config", "telemetry", "process"},
}  # fmt: skip
"""Room → rooms that it may import (besides itself)."""

DOORS: dict[str, set[str]] = {
    "acme": {"certs"},
    "josepy": {"certs"},
    "requests": {"certs"},
    "cryptography": {"certs", "storage", "tls"},
    "dns": {"certs"},
    "lexicon": {"certs"},
    "publicsuffixlist": {"certs"},
    "redis": {"storage"},
    "psycopg": {"storage"},
    "h2": {"wire"},
    "hpack": {"wire"},
    "hyperframe": {"wire"},
    "ngh2": {"wire"},
    "httptools": {"wire"},
    "ssl": {"tls", "net", "certs"},
    "click": {"cli"},
    "rich": {"cli", "telemetry"},
    "structlog": {"telemetry"},
    "idna": {"config"},
    "tomllib": {"config"},
    "uvloop": {"process"},
    "brotli": {"handlers"},
    "zstandard": {"handlers"},
}
"""Foreign package → rooms that may call it: one door each, so that it can be replaced or guarded in one place."""

MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_rooms_below_its_own(path: Path) -> None:
    """A room imports the rooms its row names, and nothing else of edge; nobody imports the root package."""
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    for name in imports_of(path):
        top, _, rest = name.partition(".")
        if top == "edge":
            assert rest, f"{path} imports the root package"
            target = rest.split(".")[0]
            assert target == room or target in ROOMS[room], f"{room} may not import {target}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_foreign_package_has_one_door(path: Path) -> None:
    """A guarded foreign package is imported only by the rooms that own its door."""
    for name in imports_of(path):
        allowed = DOORS.get(name.split(".")[0])
        assert allowed is None or room_of(path) in allowed, f"{room_of(path)} may not import {name}"


def test_every_room_is_listed() -> None:
    """A new room needs a row here first."""
    rooms = {room_of(path) for path in MODULES} - {"__init__", "__main__"}
    assert rooms <= set(ROOMS)


def test_the_rows_are_acyclic() -> None:
    """Rows only name rooms above them."""
    seen: set[str] = set()
    for room, allowed in ROOMS.items():
        assert allowed <= seen, f"{room} names {allowed - seen} before they are defined"
        seen.add(room)
