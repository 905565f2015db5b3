"""Before anything is measured: every contender does the work, and the same work."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.arena import Arena
from benchmarks.errors import ServerFailed
from benchmarks.load.connections import connect, fetch
from benchmarks.load.tls import unverified_context
from benchmarks.servers.origin import BODY, ECHO
from benchmarks.servers.running import Running

FORWARDED = b"localhost https 127.0.0.1 localhost"
"""Host, X-Forwarded-Proto, -For and -Host as the origin must see them."""


def check_all(arena: Arena, servers: Sequence[Running]) -> dict[str, str]:
    """What each one negotiates with our client: protocol, cipher, and whether it speaks HTTP/2.

    Raises: ServerFailed when one answers wrongly."""
    file = (arena.static / "1k.bin").read_bytes()
    negotiated = {}
    for server in servers:
        negotiated[server.name] = _tls_of(server)
        _check(server, "/static/1k.bin", file)
        _check(server, "/", BODY.encode())
        _check(server, ECHO, FORWARDED)
    return negotiated


def _check(server: Running, path: str, body: bytes) -> None:
    with connect(unverified_context("http/1.1"), server.port, "localhost") as sock:
        answer = fetch(sock, path)
    if not answer.startswith(b"HTTP/1.1 200 ") or answer.partition(b"\r\n\r\n")[2] != body:
        raise ServerFailed(f"{server.name} answers {path} with {answer[:300]!r} ... instead of {body[:60]!r} ...")


def _tls_of(server: Running) -> str:
    with connect(unverified_context("h2", "http/1.1"), server.port, "localhost") as sock:
        cipher = sock.cipher()
        if sock.selected_alpn_protocol() != "h2":
            raise ServerFailed(f"{server.name} does not offer HTTP/2")
        return f"{sock.version()} {cipher[0] if cipher else '?'}"
