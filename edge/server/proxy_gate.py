"""In front of all entrances: connections from trusted proxies say whose they are (`edge.net.proxy_protocol`).

A trusted peer MUST begin with a header; without one its connection is closed, because a balancer that forgets it would make
all its visitors one. Of anybody else nothing is read: what looks like a header there is bytes of a visitor.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final, TypeAlias

from msgspec import structs

from edge.http.exchange import Handler, Peer
from edge.http.networks import Networks
from edge.net.proxy_protocol import MAX_HEADER, Announcement, IncompleteError, MalformedError, parse_header
from edge.net.socket_stream import SocketStream
from edge.server.connection import Connection
from edge.server.entrances import client_of
from edge.server.server import Entrance
from edge.telemetry.logs import get_logger
from edge.wire.engine import Engine

PATIENCE: Final = 5.0
"""Seconds for the header, which a balancer sends at once. HAProxy and nginx leave it to their head timeouts."""

LOOK_AGAIN: Final = 0.01
"""Seconds between two looks at an incomplete header: a peeked socket stays readable, polling it would spin."""

MAX_WARNINGS: Final = 20
"""Peers without a header that are told of, lest they fill the log."""

Admit: TypeAlias = Callable[[socket.socket, Entrance], None]
"""Takes a socket whose header has been consumed, and the entrance that knows about it."""

log = get_logger("server")


class ProxyGate:
    """Takes accepted sockets for one kind of listening socket."""

    def __init__(self, trusted: Networks, entrance: Entrance, admit: Admit, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._trusted = trusted
        self._entrance = entrance
        self._admit = admit
        self._warnings = 0

    def accepted(self, sock: socket.socket) -> None:
        """Lead one connection to where it belongs."""
        if client_of(sock)[0] in self._trusted:
            _Reading(self, sock).start()
        else:
            self._admit(sock, self._entrance)

    def announced(self, sock: socket.socket, announcement: Announcement) -> None:
        """The header is there: take it off and go on."""
        try:
            sock.recv(announcement.length)
        except OSError:
            sock.close()
            return
        entrance = _AnnouncedEntrance(self._entrance, announcement) if announcement.address else self._entrance
        self._admit(sock, entrance)

    def refused(self, sock: socket.socket, reason: str) -> None:
        """There is no header: close."""
        if self._warnings < MAX_WARNINGS:
            self._warnings += 1
            log.warning("connection without PROXY header closed", peer=client_of(sock)[0], reason=reason)
        sock.close()


class _Reading:
    """One connection whose header is being waited for."""

    def __init__(self, gate: ProxyGate, sock: socket.socket) -> None:
        self._gate = gate
        self._sock = sock
        self._give_up_at = gate.loop.time() + PATIENCE
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Wait for the first byte."""
        self._gate.loop.add_reader(self._sock.fileno(), self._first_byte)
        self._timer = self._gate.loop.call_at(self._give_up_at, self._silent)

    def _silent(self) -> None:
        self._gate.loop.remove_reader(self._sock.fileno())
        self._sock.close()  # balancers open connections to see whether somebody listens: nothing to warn of

    def _first_byte(self) -> None:
        self._gate.loop.remove_reader(self._sock.fileno())
        if self._timer is not None:
            self._timer.cancel()
        self._look()

    def _look(self) -> None:
        try:
            data = self._sock.recv(MAX_HEADER, socket.MSG_PEEK)
        except BlockingIOError:
            data = b"P"
        except OSError:
            data = b""
        if not data:
            self._sock.close()
            return
        try:
            announcement = parse_header(data)
        except IncompleteError:
            if self._gate.loop.time() < self._give_up_at:
                self._gate.loop.call_later(LOOK_AGAIN, self._look)
            else:
                self._gate.refused(self._sock, "incomplete")
        except MalformedError as error:
            self._gate.refused(self._sock, str(error))
        else:
            self._gate.announced(self._sock, announcement)


class _AnnouncedEntrance:
    """The entrance of one connection: like another, but for who is there."""

    def __init__(self, entrance: Entrance, announcement: Announcement) -> None:
        self.handler: Handler = entrance.handler
        self._entrance = entrance
        self._announcement = announcement

    def open(self, sock: socket.socket, connection: Connection) -> SocketStream:
        """See `Entrance`."""
        return self._entrance.open(sock, connection)

    def client(self, sock: socket.socket) -> str:
        """Who was announced."""
        return self._announcement.address

    def greet(self, stream: SocketStream) -> tuple[Engine, Peer]:
        """The engine, and the client that was announced."""
        engine, peer = self._entrance.greet(stream)
        return engine, structs.replace(peer, address=self._announcement.address, port=self._announcement.port)
