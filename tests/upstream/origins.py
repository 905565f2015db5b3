"""An origin that does what a script says, on a real loopback or unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TypeAlias

from edge.config.address import UpstreamAddress

PATIENCE = 5.0
"""Seconds after which a test that waits for something fails instead of hanging."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Visit:
    """One connection as the origin sees it; `number` counts from 1."""

    def __init__(
        self, origin: ScriptedOrigin, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        self.reader = reader
        self._origin = origin
        self._writer = writer

    async def head(self) -> bytes:
        """The next request head; raises IncompleteReadError when edge closes."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        self._origin.heads.append(head)
        return head

    async def request(self) -> bytes:
        """The body of the next request, which is read whole."""
        head = await self.head()
        length = re.search(rb"\r\ncontent-length: (\d+)\r\n", head)
        body = await self.reader.readexactly(int(length.group(1)) if length else 0)
        self._origin.bodies.append(body)
        return body

    async def send(self, *pieces: bytes) -> None:
        """Each piece gets the chance to arrive alone."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
            await settle()

    async def closed(self) -> None:
        """Returns when edge has closed its side."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            pass

    def reset(self, last_words: bytes = b"") -> None:
        """End with a reset instead of an orderly close, right behind `last_words`."""
        self._writer.write(last_words)
        sock = self._writer.get_extra_info("socket")
        with contextlib.suppress(OSError):  # edge was faster
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._writer.transport.abort()


Script: TypeAlias = Callable[[Visit], Awaitable[None]]


class ScriptedOrigin:
    """`async with ScriptedOrigin(script) as origin`: every connection runs the script, then is closed.

    With `tls` it speaks TLS; `host` is what its address says, should that not be 127.0.0.1.
    """

    def __init__(self, script: Script, path: str = "", *, tls: ssl.SSLContext | None = None, host: str = "") -> None:
        self._script = script
        self._path = path
        self._tls = tls
        self._host = host or "127.0.0.1"
        self._visits: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []

    async def __aenter__(self) -> ScriptedOrigin:
        if self._path:
            self._server = await asyncio.start_unix_server(self._accept, self._path)
            self.address = UpstreamAddress(path=self._path)
        else:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
            port = self._server.sockets[0].getsockname()[1]
            self.address = UpstreamAddress(self._host, port, tls=self._tls is not None)
        return self

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.ensure_future(self._visit(Visit(self, self.connections, reader, writer), writer))
        self._visits.add(task)
        task.add_done_callback(self._visits.discard)

    async def _visit(self, visit: Visit, writer: asyncio.StreamWriter) -> None:
        try:
            await self._script(visit)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # edge closed; what that means is for the test to say
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._server.close()
        await self._server.wait_closed()
        for visit in list(self._visits):
            if kind:
                visit.cancel()
            await asyncio.wait_for(asyncio.gather(visit, return_exceptions=True), PATIENCE)


async def settle() -> None:
    """Let the loop run until what can happen now has happened (loopback delivers at once)."""
    for _ in range(10):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Run the loop until `condition` holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0)


def descriptors() -> int:
    """How many this process has open."""
    return len(os.listdir("/proc/self/fd"))


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


async def always_ok(visit: Visit) -> None:
    """Answers every request, keeping the connection."""
    while True:
        await visit.request()
        await visit.send(OK)


async def hang(visit: Visit) -> None:
    """Reads the request and says nothing."""
    await visit.request()
    await visit.closed()
