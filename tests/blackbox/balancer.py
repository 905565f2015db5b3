"""A TCP load balancer in front of several nodes: each connection goes to the next node, or to the one after it if that is down.

It remembers which node got the requests of CAs.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Self

CHALLENGE = b"/.well-known/acme-challenge/"


class Balancer:
    """From each port of `routes` to the ports of the nodes, in turn."""

    def __init__(self, routes: dict[int, list[int]]) -> None:
        self._routes = routes
        self._turn = 0
        self.sick: set[int] = set()
        """Ports of nodes that its health checks would have found out."""
        self.challenged: Counter[int] = Counter()
        """Requests for challenge answers by the port of the node that got them."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(5)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _start(self) -> None:
        self._servers = [
            await asyncio.start_server(partial(self._serve, nodes), "127.0.0.1", port)
            for port, nodes in self._routes.items()
        ]

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, nodes: list[int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        turn = self._turn = self._turn + 1
        try:
            first = await reader.read(4096)
            healthy = [port for port in nodes[turn % len(nodes) :] + nodes if port not in self.sick]
            port, node_reader, node_writer = await _connect(healthy)
            if CHALLENGE in first:
                self.challenged[port] += 1
            node_writer.write(first)
            await asyncio.gather(_copy(reader, node_writer), _copy(node_reader, writer))
        except OSError:
            pass  # either end is gone; the CA sees it as it would see any outage
        finally:
            writer.close()


async def _connect(nodes: Sequence[int]) -> tuple[int, asyncio.StreamReader, asyncio.StreamWriter]:
    """To the first of them that is there."""
    for port in nodes:
        with suppress(ConnectionError):
            return port, *await asyncio.open_connection("127.0.0.1", port)
    raise ConnectionRefusedError


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    finally:
        target.close()
