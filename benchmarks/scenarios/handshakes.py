"""Full and resumed handshakes. One client that does one handshake at a time is slower than any of the servers, so only
the servers' CPU time is reported, not a rate."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.arena import Arena
from benchmarks.contenders import FOR_HTTP1
from benchmarks.load.connections import run_handshakes
from benchmarks.load.work import Report
from benchmarks.results import Comparison
from benchmarks.rounds import alternate
from benchmarks.servers.running import Running

PATH = "/static/1k.bin"


def compare_handshakes(arena: Arena, servers: Sequence[Running], *, resume: bool) -> Comparison:
    """A connection, its handshake, one small request, and its end."""
    chosen = [server for server in servers if server.name in FOR_HTTP1]

    def run(server: Running) -> Report:
        return run_handshakes(server, PATH, arena.seconds, resume=resume, names=("localhost",))

    key, title = ("resumed-handshake", "resumed handshake") if resume else ("full-handshake", "full handshake")
    entries = alternate(chosen, arena.rounds, run)
    return Comparison(key, title, "http/1.1", "handshake", None, entries, has_own_rate=False)
