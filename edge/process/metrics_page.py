"""The page that Prometheus fetches: `GET /metrics` on an address of its own, answered by the keeper.

It is no web server. It reads one request head, looks at the first line, answers and closes; whatever else comes is dropped.
Nobody is asked who he is, so the address is loopback unless the operator has written another one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from edge.config.endpoint import Endpoint
from edge.telemetry.logs import get_logger

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

LARGEST_HEAD: Final = 8 * 1024
"""Bytes. Scrapers send a few hundred."""

TIMEOUT: Final = 10.0
"""Seconds for one exchange, from the connection to its end."""

MOST_CONNECTIONS: Final = 16
"""More than any number of scrapers needs at a time; the others are closed at once."""

AGAIN_AFTER: Final = 10.0
"""Seconds until an address that could not be bound is tried again: the keeper before may still have it."""

log = get_logger("process")


class MetricsPage:
    """Answers with `page()`. `run` follows `endpoint()`, which may change with a reload."""

    def __init__(self, page: Callable[[], str], endpoint: Callable[[], Endpoint | None]) -> None:
        self._page = page
        self._endpoint = endpoint
        self._changed = asyncio.Event()
        self._connections = 0

    def reconfigure(self) -> None:
        """`endpoint()` may be another one."""
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._changed.clear()
            endpoint = self._endpoint()
            if endpoint is None:
                await self._changed.wait()
                continue
            try:
                server = await asyncio.start_server(self._serve, endpoint.host, endpoint.port, limit=LARGEST_HEAD)
            except OSError as problem:
                log.error("metrics cannot be served", address=str(endpoint), problem=problem.strerror)
                await self._sleep(AGAIN_AFTER)
                continue
            try:
                while self._endpoint() == endpoint:
                    await self._changed.wait()
                    self._changed.clear()
            finally:
                server.close()

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            if self._connections <= MOST_CONNECTIONS:
                async with asyncio.timeout(TIMEOUT):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(self._answer(head))
                    await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever that was wanted no metrics
        finally:
            self._connections -= 1
            writer.close()

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b"\r\n")[0].partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in (b"GET", b"HEAD"):
            return _response("405 Method Not Allowed", b"", "Allow: GET, HEAD\r\n")
        if path != b"/metrics":
            return _response("404 Not Found", b"the metrics are at /metrics\n")
        body = self._page().encode()
        return _response("200 OK", body, f"Content-Type: {CONTENT_TYPE}\r\n", with_body=method == b"GET")


def _response(status: str, body: bytes, fields: str = "", *, with_body: bool = True) -> bytes:
    head = f"HTTP/1.1 {status}\r\n{fields}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + (body if with_body else b"")
