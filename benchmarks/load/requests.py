"""Requests as bytes, for a load generator that sends what it is given."""

from __future__ import annotations

from itertools import cycle

from benchmarks.load.work import Work

SEPARATOR = b"\0"
"""Between two requests of a file. No request of ours contains it."""

DISTINCT = 4001
"""Requests in a file when they differ. Prime, so that every path meets every cookie; more than a server remembers."""


def request_bytes(path: str, authority: str, fields: tuple[tuple[str, str], ...], body: bytes = b"") -> bytes:
    """One HTTP/1.1 request. A body makes it a POST."""
    lines = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", f"Host: {authority}"]
    lines += [f"{name}: {value}" for name, value in fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def is_uniform(work: Work) -> bool:
    """Whether all requests of this work are the same, so that a tool can make them from its own flags."""
    return len(work.paths) == 1 and not work.cookies and not work.body


def request_file(work: Work, authority: str) -> bytes:
    """Requests one after another: as many as there are paths, or `DISTINCT` when cookies differ."""
    body = work.body.read_bytes() if work.body else b""
    count = DISTINCT if work.cookies else len(work.paths)
    paths, cookies = cycle(work.paths), cycle(work.cookies or [""])
    return SEPARATOR.join(
        request_bytes(path, authority, (*work.fields, ("Cookie", cookie)) if cookie else work.fields, body)
        for path, cookie, _ in zip(paths, cookies, range(count), strict=False)
    )
