"""A real page: Django's template and database behind gunicorn, and each server in front, all on the servers' core."""

from __future__ import annotations

from benchmarks.arena import Arena
from benchmarks.contenders import FOR_HTTP1
from benchmarks.load.requests import DISTINCT
from benchmarks.load.work import Work
from benchmarks.results import Comparison
from benchmarks.rounds import alternate
from benchmarks.scenarios.browser import FIELDS, cookies
from benchmarks.servers.gunicorn import gunicorn_recipe, prepare_site
from benchmarks.servers.running import free_ports

CONNECTIONS = 8
"""Twice gunicorn's threads: the core is busy, and nobody measures a queue."""


def compare_django(arena: Arena) -> Comparison:
    """Pages a second, with gunicorn's share of the CPU time beside the server's."""
    state = arena.directory / "django"
    prepare_site(state)
    (port,) = free_ports(1)
    work = Work(paths=("/",), connections=CONNECTIONS, fields=FIELDS, cookies=cookies(DISTINCT))
    with (
        arena.run("gunicorn", gunicorn_recipe(port, state), port, arena.cores.server) as gunicorn,
        arena.line_up(FOR_HTTP1, origin=f"127.0.0.1:{port}") as servers,
    ):
        for server in servers:
            arena.measure(server, work, "http/1.1", seconds=1)
        entries = alternate(servers, arena.rounds, lambda server: arena.measure(server, work, "http/1.1"), gunicorn)
    return Comparison("django", "Django page, gunicorn behind", "http/1.1", "page", None, entries)
