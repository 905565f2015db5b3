"""Requests at full speed: proxied and static, small and large, plain and browser-like, and uploads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from benchmarks.arena import SMALL_FILES, Arena
from benchmarks.contenders import FOR_HTTP1, FOR_HTTP2
from benchmarks.load.requests import DISTINCT
from benchmarks.load.work import Work
from benchmarks.results import Comparison
from benchmarks.rounds import alternate
from benchmarks.scenarios.browser import FIELDS, FIELDS_OF_HTTP2, PAGES, cookies
from benchmarks.servers.running import Running

CONNECTIONS = 32
"""Of HTTP/1.1, and of HTTP/2 where streams multiply it: enough to keep any of the servers busy, and not a queueing test."""

STREAMS = 4
"""Requests in flight on an HTTP/2 connection: a page with some pictures; 128 at once at an origin, not more than one has."""

CONNECTIONS_FOR_SMALL_FILES = 100
"""Of HTTP/2 where a server may answer 200,000 requests a second: after some thousand requests servers end a connection
(edge after 10,000), and h2load does not open another one."""

UPLOAD_SIZE = 64 * 1024
RATE = 2500
"""Requests a second for the latency comparison: half of what the slowest contender can do."""


class Scenario(Struct, frozen=True):
    """One row of the report."""

    key: str
    title: str
    protocol: str
    work: Work
    is_quick: bool = False
    """Part of `--quick`."""

    @property
    def full_key(self) -> str:
        """The key with the protocol: `static-1k-h1`."""
        return f"{self.key}-{'h1' if self.protocol == 'http/1.1' else 'h2'}"


def scenarios(directory: Path) -> tuple[Scenario, ...]:
    """All of them; an upload's body is written to `directory`."""
    upload = directory / "upload.bin"
    upload.write_bytes(b"x" * UPLOAD_SIZE)
    return tuple(
        scenario
        for protocol in ("http/1.1", "h2")
        for scenario in (
            *_plain(protocol),
            *_browser_like(protocol),
            Scenario("upload-64k", "upload of 64 KiB", protocol, _work(protocol, "/upload", body=upload)),
            Scenario("latency-proxied", "proxied 1 KB", protocol, _work(protocol, "/", rate=RATE), is_quick=True),
        )
    )


def _plain(protocol: str) -> Iterator[Scenario]:
    yield Scenario("proxied-1k", "proxied 1 KB", protocol, _work(protocol, "/"), is_quick=True)
    small = _work(protocol, "/static/1k.bin", connections=_for_small_files(protocol))
    yield Scenario("static-1k", "static 1 KiB", protocol, small, is_quick=True)
    yield Scenario("static-100k", "static 100 KiB", protocol, _work(protocol, "/static/100k.bin"))
    yield Scenario("static-1m", "static 1 MiB", protocol, _work(protocol, "/static/1m.bin"))


def _browser_like(protocol: str) -> Iterator[Scenario]:
    fields = FIELDS if protocol == "http/1.1" else FIELDS_OF_HTTP2
    files = [f"/static/small-{number}.bin" for number in range(SMALL_FILES)]
    visitors, connections = cookies(DISTINCT), _for_small_files(protocol)
    pages = _work(protocol, *PAGES, fields=fields, cookies=visitors)
    yield Scenario("browser-proxied", "proxied 1 KB, a browser's fields", protocol, pages)
    small = _work(protocol, *files, connections=connections, fields=fields, cookies=visitors)
    yield Scenario("browser-static", "static 1 KiB, a browser's fields", protocol, small)


def _for_small_files(protocol: str) -> int:
    return CONNECTIONS if protocol == "http/1.1" else CONNECTIONS_FOR_SMALL_FILES


def _work(
    protocol: str,
    *paths: str,
    connections: int = CONNECTIONS,
    fields: tuple[tuple[str, str], ...] = (),
    cookies: tuple[str, ...] = (),
    body: Path | None = None,
    rate: int | None = None,
) -> Work:
    streams = 1 if protocol == "http/1.1" else STREAMS
    return Work(
        paths=paths, connections=connections, streams=streams, fields=fields, cookies=cookies, body=body, rate=rate
    )


def compare(arena: Arena, scenario: Scenario, servers: Sequence[Running]) -> Comparison:
    """Alternating rounds. wrk has no warm-up of its own, so everybody gets a second that is not counted."""
    names = FOR_HTTP1 if scenario.protocol == "http/1.1" else FOR_HTTP2
    chosen = [server for server in servers if server.name in names]
    if scenario.protocol == "http/1.1":
        for server in chosen:
            arena.measure(server, scenario.work, scenario.protocol, seconds=1)
    entries = alternate(chosen, arena.rounds, lambda server: arena.measure(server, scenario.work, scenario.protocol))
    return Comparison(scenario.key, scenario.title, scenario.protocol, "request", scenario.work.rate, entries)
