"""A CA that misbehaves: a TLS proxy in front of Pebble that follows a script.

Pebble builds all its URLs from the Host field, so a client that reads the directory through the proxy stays with it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from tests.pebble import Pebble

Mode = Literal["answer", "drip", "lose"]


@dataclass
class Fault:
    """What happens to the next `times` requests whose path contains `path`.

    answer: these bytes instead of the CA's, and the connection closed. drip: the same, a byte every few milliseconds and never
    an end. lose: the CA gets the request, the client no reply.
    """

    path: str
    reply: bytes = b""
    times: int = 1
    mode: Mode = "answer"


def reply(status: str, body: str = "", **fields: str) -> bytes:
    """A whole HTTP/1.1 reply; underscores in field names stand for dashes."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body.encode())}", "Connection: close"]
    head += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([*head, "", body]).encode()


@dataclass
class FaultProxy:
    """`requests` lists method and path of everything that came."""

    pebble: Pebble
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    directory_url: str = ""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pebble.directory / "server.pem", self.pebble.directory / "server.key")
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        async with server:
            self.directory_url = f"https://localhost:{server.sockets[0].getsockname()[1]}/dir"
            yield

    def count(self, path: str) -> int:
        """How many requests had this in their path."""
        return sum(path in request for request in self.requests)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
            )
            body = await reader.readexactly(length)
            await self._answer(head, body, writer)
        writer.close()

    async def _answer(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        request = head.split(b" HTTP/")[0].decode()
        self.requests.append(request)
        fault = next((fault for fault in self.faults if fault.times and fault.path in request), None)
        if fault is not None:
            fault.times -= 1
        if fault is None:
            writer.write(await self._forward(head, body))
        elif fault.mode == "lose":
            await self._forward(head, body)
        elif fault.mode == "drip":
            await drip(fault.reply, writer)
        else:
            writer.write(fault.reply)
        await writer.drain()

    async def _forward(self, head: bytes, body: bytes) -> bytes:
        """The CA's whole reply; the CA is told to close the connection, so that its end is known."""
        port = int(self.pebble.directory_url.split(":")[2].split("/")[0])
        context = ssl.create_default_context(cafile=self.pebble.ca_file)
        reader, writer = await asyncio.open_connection("localhost", port, ssl=context)
        kept = [line for line in head.split(b"\r\n") if line and not line.lower().startswith(b"connection:")]
        writer.write(b"\r\n".join([*kept, b"Connection: close", b"", b""]) + body)
        answer = await reader.read()
        writer.close()
        return answer


async def drip(start: bytes, writer: asyncio.StreamWriter) -> None:
    """Send the start at once, then spaces one by one until the client has had enough."""
    writer.write(start)
    while True:
        await writer.drain()
        await asyncio.sleep(0.005)
        writer.write(b" ")
