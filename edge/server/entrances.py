"""The two ways in: plain HTTP on port 80, TLS on port 443."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, TypeAlias

from edge.http.exchange import Handler, Peer
from edge.net.socket_stream import SocketStream
from edge.net.tls_stream import TLSStream
from edge.server.connection import Connection
from edge.tls.contexts import EdgeSocket
from edge.tls.selector import Selector, covers_of
from edge.wire.engine import Engine
from edge.wire.http1 import HTTP1Engine

EngineFactory: TypeAlias = Callable[[], Engine]


def client_of(sock: socket.socket) -> tuple[str, int]:
    """Numeric address and port of the peer; an IPv4-mapped address is shown as IPv4. ("", 0) when it has gone already."""
    try:
        address: Any = sock.getpeername()
    except OSError:
        return "", 0
    return str(address[0]).removeprefix("::ffff:").partition("%")[0], int(address[1])


class PlainEntrance:
    """HTTP/1.1 without TLS. HTTP/2 is never spoken here: no upgrade, no prior knowledge."""

    def __init__(self, handler: Handler, loop: asyncio.AbstractEventLoop) -> None:
        self.handler = handler
        self._loop = loop

    def open(self, sock: socket.socket, connection: Connection) -> SocketStream:
        """A plain stream."""
        return SocketStream(sock, connection, self._loop)

    def client(self, sock: socket.socket) -> str:
        """The peer's address."""
        return client_of(sock)[0]

    def greet(self, stream: SocketStream) -> tuple[Engine, Peer]:
        """HTTP/1.1, whatever comes."""
        address, port = client_of(stream.sock)
        return HTTP1Engine(b"http"), Peer(address, port)


class TLSEntrance:
    """HTTPS: the protocol is what ALPN agreed on (RFC 7301), HTTP/1.1 without it."""

    def __init__(
        self, handler: Handler, loop: asyncio.AbstractEventLoop, selector: Selector, http2: EngineFactory
    ) -> None:
        self.handler = handler
        self._loop = loop
        self._selector = selector
        self._http2 = http2

    def open(self, sock: socket.socket, connection: Connection) -> SocketStream:
        """A TLS stream that begins with the base context; the server name chooses the certificate."""
        return TLSStream(sock, connection, self._loop, self._selector.base)

    def client(self, sock: socket.socket) -> str:
        """The peer's address."""
        return client_of(sock)[0]

    def greet(self, stream: SocketStream) -> tuple[Engine, Peer]:
        """The engine for the agreed protocol, and the peer with what its certificate covers."""
        tls = stream.sock
        assert isinstance(tls, EdgeSocket)
        address, port = client_of(tls)
        peer = Peer(address, port, tls.version() or "", tls.server_name, covers_of(tls))
        engine = self._http2() if tls.selected_alpn_protocol() == "h2" else HTTP1Engine(b"https")
        return engine, peer
