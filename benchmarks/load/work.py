"""What one run of a load generator is asked to do, and what came of it."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class Work(Struct, frozen=True, kw_only=True):
    """Requests of one kind.

    `connections` stay open for the whole run; each has up to `streams` requests in flight (one in HTTP/1.1). With several
    `paths` requests take them in turn. `rate`: requests a second over all connections, instead of as many as possible."""

    paths: tuple[str, ...]
    connections: int
    streams: int = 1
    fields: tuple[tuple[str, str], ...] = ()
    cookies: tuple[str, ...] = ()
    """Values of the Cookie field, in turn."""
    body: Path | None = None
    rate: int | None = None


class Latency(Struct, frozen=True):
    """Seconds from a request to the end of its response, by percentile."""

    p50: float
    p90: float
    p99: float
    p999: float


class Report(Struct, frozen=True):
    """What a load generator saw. `failures`: no response, or one whose status is not 2xx."""

    requests: int
    seconds: float
    failures: int
    cpu_seconds: float
    """Of the server's processes while those requests were answered."""
    latency: Latency | None = None

    @property
    def cpu_each(self) -> float:
        """CPU seconds a request."""
        return self.cpu_seconds / self.requests

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds
