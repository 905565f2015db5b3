"""edge as it comes, with its certificates given and its access log off."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.servers.recipe import Assignment, Recipe
from benchmarks.tools import edge_command

LIMIT = 20_000
"""As nginx is allowed."""


def edge_recipe(assignment: Assignment, directory: Path, engine: str) -> Recipe:
    """edge with this HTTP/2 engine (auto, h2, ngh2); nothing else differs from its defaults but
    for the limit of connections per client: all the load comes from one address."""
    flags = [
        *("--config", "edge.toml", "--bind", "127.0.0.1", "--http-port", "0", "--https-port", str(assignment.port)),
        *("--storage", str(directory / "storage"), "--workers", str(assignment.workers)),
        *("--access-log", str(assignment.access_log or "off"), "--http2-engine", engine),
    ]
    return Recipe((*edge_command(), *flags), {"edge.toml": edge_toml(assignment)})


def edge_toml(assignment: Assignment) -> str:
    """One `[[site]]` for each key pair, all with the same mounts and the same upstream."""
    mounts = ", ".join(f"{_quoted(prefix)} = {_quoted(path)}" for prefix, path in assignment.mounts.items())
    sites = [
        f"[[site]]\nnames = [{', '.join(map(_quoted, pair.names))}]\n"
        f"cert = {_quoted(pair.certificate)}\nkey = {_quoted(pair.key)}\n"
        f"upstream = {_quoted(assignment.origin)}\nstatic = {{ {mounts} }}\n"
        for pair in assignment.key_pairs
    ]
    return "\n".join((f"[listen]\nmax_connections_per_client = {LIMIT}\n", *sites))


def _quoted(value: str | Path) -> str:
    """A TOML basic string; JSON's escapes are a subset of TOML's."""
    return json.dumps(str(value))
