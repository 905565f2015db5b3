"""In front of the TLS entrance: connections that come to see a TLS-ALPN-01 answer (RFC 8737) are led aside, and those for a
name that gets its certificate on demand wait for it.

While no such answer is pending, and without names on demand, this costs two truth tests for each connection. Otherwise the
ClientHello is peeked at, not consumed, so everybody then goes through the ordinary entrance: also an ordinary visitor of the very
name being validated, with its own certificate.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from functools import partial
from typing import Final

from edge.http.limits import HANDSHAKE_TIMEOUT
from edge.net.deadlines import Deadlines
from edge.net.tls_stream import TLSStream
from edge.server.server import Entrance, Server
from edge.tls.client_hello import MAX_CLIENT_HELLO, ClientHello, IncompleteError, MalformedError, parse_client_hello
from edge.tls.contexts import ChallengeContext
from edge.tls.name_desk import NameDesk
from edge.tls.selector import Selector

PATIENCE: Final = 0.2
"""Seconds for the rest of a ClientHello whose beginning has come; then the ordinary way, which has its own deadline."""

LOOK_AGAIN: Final = 0.01
"""Seconds between two looks at an incomplete ClientHello: a peeked socket stays readable, polling it would spin."""

MAX_SILENT: Final = 256
"""Connections whose first byte is waited for; beyond, the oldest goes the ordinary way, where connections are counted. Who
validates speaks at once."""

ACME_ONLY: Final = (b"acme-tls/1",)


class ChallengeGate:
    """Takes accepted sockets for the TLS entrance."""

    def __init__(
        self,
        server: Server,
        entrance: Entrance,
        selector: Selector,
        deadlines: Deadlines,
        desk: NameDesk | None = None,
    ) -> None:
        self._server = server
        self._entrance = entrance
        self._selector = selector
        self._deadlines = deadlines
        self._desk = desk
        self.silent: dict[_Peek, None] = {}

    def accepted(self, sock: socket.socket) -> None:
        """Lead one connection to where it belongs."""
        self.admit(sock, self._entrance)

    def admit(self, sock: socket.socket, entrance: Entrance) -> None:
        """The same, for a connection that has an entrance of its own."""
        if self._selector.challenges or self._desk is not None:
            _Peek(self, sock, entrance, self._server.loop).start()
        else:
            self._server.accept(sock, entrance)

    def decide(self, sock: socket.socket, entrance: Entrance, hello: ClientHello) -> None:
        """The offer is known (or will not be: an empty one)."""
        context = self._selector.challenges.get(hello.server_name) if hello.alpn == ACME_ONLY else None
        if context is not None:
            ChallengeHandshake(sock, context, self._server.loop, self._deadlines)
        elif self._desk is None or self._desk.is_known(hello.server_name):
            self._server.accept(sock, entrance)
        else:
            ready = partial(self._server.accept, sock, entrance)
            self._desk.await_certificate(hello.server_name, entrance.client(sock), ready)


class _Peek:
    """One connection whose ClientHello is being looked at."""

    def __init__(
        self, gate: ChallengeGate, sock: socket.socket, entrance: Entrance, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._gate = gate
        self._sock = sock
        self._entrance = entrance
        self._loop = loop
        self._give_up_at = loop.time() + HANDSHAKE_TIMEOUT
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Wait for the first byte."""
        self._loop.add_reader(self._sock.fileno(), self._first_byte)
        self._timer = self._loop.call_at(self._give_up_at, self.wait_no_longer)
        self._gate.silent[self] = None
        if len(self._gate.silent) > MAX_SILENT:
            next(iter(self._gate.silent)).wait_no_longer()

    def wait_no_longer(self) -> None:
        """Whoever this is goes the ordinary way."""
        self._stop_waiting()
        self._gate.decide(self._sock, self._entrance, ClientHello())

    def _stop_waiting(self) -> None:
        self._gate.silent.pop(self, None)
        self._loop.remove_reader(self._sock.fileno())
        if self._timer is not None:
            self._timer.cancel()

    def _first_byte(self) -> None:
        self._stop_waiting()
        self._give_up_at = self._loop.time() + PATIENCE
        self._look()

    def _look(self) -> None:
        try:
            hello = parse_client_hello(self._sock.recv(MAX_CLIENT_HELLO, socket.MSG_PEEK))
        except (IncompleteError, BlockingIOError):
            if self._loop.time() < self._give_up_at:
                self._loop.call_later(LOOK_AGAIN, self._look)
                return
            hello = ClientHello()
        except (MalformedError, OSError):
            hello = ClientHello()
        self._gate.decide(self._sock, self._entrance, hello)


class ChallengeHandshake:
    """Shows the challenge certificate and closes: a CA needs the handshake and nothing else, and no log line."""

    def __init__(
        self, sock: socket.socket, context: ChallengeContext, loop: asyncio.AbstractEventLoop, deadlines: Deadlines
    ) -> None:
        self.deadline = loop.time() + HANDSHAKE_TIMEOUT
        self._deadlines = deadlines
        deadlines.add(self)
        self._stream = TLSStream(sock, self, loop, context)
        self._stream.start()

    def deadline_passed(self, now: float) -> None:
        """It took too long."""
        self._stream.abort()

    def stream_opened(self) -> None:
        """The certificate has been seen."""
        with contextlib.suppress(OSError):
            self._stream.close(linger=True)

    def data_received(self, data: bytes) -> None:
        """Nothing is spoken here."""

    def eof_received(self) -> None:
        """The CA has left."""
        self._stream.close()

    def stream_drained(self) -> None:
        """Nothing is written here."""

    def stream_lost(self, reason: str) -> None:
        """Over."""
        self._deadlines.discard(self)
