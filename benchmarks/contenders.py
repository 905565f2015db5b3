"""Who takes part: a name and how to make a recipe from an assignment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from benchmarks.servers.caddy import caddy_recipe
from benchmarks.servers.edge import edge_recipe
from benchmarks.servers.nginx import nginx_recipe
from benchmarks.servers.recipe import Assignment, Recipe


class Contender(Struct, frozen=True):
    """`family` is the program behind it, what `--only` selects; `label` is its name in tables."""

    name: str
    family: str
    label: str
    recipe: Callable[[Assignment, Path], Recipe]


def _edge(engine: str) -> Callable[[Assignment, Path], Recipe]:
    return lambda assignment, directory: edge_recipe(assignment, directory, engine)


def _logging(recipe: Callable[[Assignment, Path], Recipe]) -> Callable[[Assignment, Path], Recipe]:
    return lambda assignment, directory: recipe(replace(assignment, access_log=directory / "access.log"), directory)


CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender("edge", "edge", "edge", _edge("ngh2")),
        Contender("edge-h2", "edge", "edge with h2", _edge("h2")),
        Contender("nginx", "nginx", "nginx", nginx_recipe),
        Contender("caddy", "caddy", "Caddy", caddy_recipe),
        Contender("edge-log", "edge", "edge, access log on", _logging(_edge("ngh2"))),
        Contender("nginx-log", "nginx", "nginx, access log on", _logging(nginx_recipe)),
    )
}

FOR_HTTP1 = ("edge", "nginx", "caddy")
"""HTTP/1.1 never meets an HTTP/2 engine, so edge takes part once."""

FOR_HTTP2 = ("edge", "edge-h2", "nginx", "caddy")
