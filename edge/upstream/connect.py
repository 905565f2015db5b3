"""Opening a connection: origins in turn, their addresses in turn, until one accepts or the time is up.

Nothing of the request has been sent yet, so trying the next one is always safe. One deadline covers the whole search, name
look-up included: the visitor waits for all of it.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import deque
from collections.abc import Iterable
from typing import Final, Protocol

from edge.errors import UpstreamError
from edge.http.limits import CONNECT_TIMEOUT
from edge.net.deadlines import NEVER, Deadlines
from edge.upstream.carrier import RequestCarrier
from edge.upstream.failures import upstream_error
from edge.upstream.origin import Origin
from edge.upstream.resolver import Endpoint, Endpoints, Resolver
from edge.upstream.share_pool import SharePool

BACKLOG_RETRY: Final = 0.02
"""A unix socket whose backlog is full refuses at once instead of waiting; we ask again after so many seconds."""


class Claimer(Protocol):
    """Who wants a connection."""

    def connection_opened(self, connection: RequestCarrier) -> None:
        """Use it, or `close` it."""

    def connection_failed(self, error: UpstreamError) -> None:
        """No origin accepted."""


class ConnectAttempt:
    """One search. Ends in exactly one call to its claimer, or none after `cancel`.

    Where connections are shared it takes or waits for a share, and only the pool's own search, which `opens`, makes connections.
    """

    def __init__(
        self,
        origins: Iterable[Origin],
        claimer: Claimer,
        resolver: Resolver,
        deadlines: Deadlines,
        loop: asyncio.AbstractEventLoop,
        *,
        opens: bool = False,
    ) -> None:
        self._opens = opens
        self._joined: SharePool | None = None
        self._origins = deque(origins)
        self._claimer: Claimer | None = claimer
        self._resolver = resolver
        self._deadlines = deadlines
        self._loop = loop
        self._origin: Origin | None = None
        self._endpoints: list[Endpoint] = []
        self._connection: RequestCarrier | None = None
        self._error: UpstreamError | None = None
        self._word = ""
        self.deadline = NEVER

    def start(self) -> None:
        """Begin; the claimer may hear the outcome before this returns."""
        self.deadline = self._loop.time() + CONNECT_TIMEOUT
        self._deadlines.add(self)
        self._next_origin()

    def cancel(self) -> None:
        """Give up silently."""
        self._end()

    def deadline_passed(self, now: float) -> None:
        """The time is up. An origin whose backlog stayed full is there, and overloaded or about to end."""
        word = self.obstacle or "timeout"
        if self._origin:
            self._origin.note_refused(now, word)
        self._fail(upstream_error(word))

    @property
    def obstacle(self) -> str:
        """The word for what it has been waiting for, should that be known."""
        return self._joined.obstacle if self._joined is not None else self._word

    def _next_origin(self) -> None:
        self._word = ""
        if self._origins:
            self._origin = self._origins.popleft()
            if self._origin.shared is None or self._opens:
                self._resolver.resolve(self._origin.address, self._resolved)
            else:
                self._join(self._origin, self._origin.shared)
        else:
            self._origin = None
            self._fail(self._error or upstream_error("refused"))

    def _join(self, origin: Origin, pool: SharePool) -> None:
        share = pool.claim(self._loop.time())
        if share:
            self.connection_opened(share)
            return
        self._joined = pool
        pool.join(
            self,
            lambda claimer: ConnectAttempt([origin], claimer, self._resolver, self._deadlines, self._loop, opens=True),
        )

    def connection_failed(self, error: UpstreamError) -> None:
        """The pool could not open a connection."""
        self._joined = None
        self._go_on(error)

    def _resolved(self, answer: Endpoints | UpstreamError) -> None:
        if self._claimer is None:  # given up while a name was looked up
            return
        if isinstance(answer, UpstreamError):
            self._refused("name-unknown")
            return
        self._endpoints = list(answer)
        self._next_endpoint()

    def _next_endpoint(self) -> None:
        if self._claimer is None or self._origin is None:
            return
        endpoint = self._endpoints[0]
        try:
            sock = _new_socket(endpoint.family)
        except OSError as error:
            out = error.errno in (errno.EMFILE, errno.ENFILE)
            self._fail(upstream_error("no-descriptors" if out else "socket-error"))
            return
        self._connection = self._origin.new_connection(self._deadlines, self._loop)
        self._connection.open(sock, endpoint, self, self._origin.new_stream)

    def connection_opened(self, connection: RequestCarrier) -> None:
        """The origin accepted, or there is a share of a connection that it had accepted before."""
        claimer, origin, is_new = self._claimer, self._origin, self._connection is not None
        self._connection = self._joined = None
        self._end()
        assert claimer is not None
        assert origin
        if is_new:
            origin.note_opened(self._loop.time())
        claimer.connection_opened(connection)

    def connection_refused(self, connection: RequestCarrier, word: str) -> None:
        """The origin did not accept at this address."""
        self._connection = None
        if word == "backlog-full":
            self._wait_for_room(word)
            return
        del self._endpoints[0]
        if self._endpoints:
            self._next_endpoint()
        else:
            self._refused(word)

    def _wait_for_room(self, word: str) -> None:
        """Others may have room now; the last one is asked again until the time is up. It is not down, only busy."""
        if self._origins:
            self._next_origin()
        else:
            self._word = word
            self._loop.call_later(BACKLOG_RETRY, self._next_endpoint)

    def _refused(self, word: str) -> None:
        assert self._origin
        self._origin.note_refused(self._loop.time(), word)
        self._go_on(upstream_error(word))

    def _go_on(self, error: UpstreamError) -> None:
        if self._error is None or not self._error.is_down:  # one that may come back is what the request waits for
            self._error = error
        self._next_origin()

    def _fail(self, error: UpstreamError) -> None:
        claimer = self._claimer
        self._end()
        if claimer is not None:
            claimer.connection_failed(error)

    def _end(self) -> None:
        self._deadlines.discard(self)
        self.deadline = NEVER
        self._claimer = None
        connection, self._connection = self._connection, None
        if connection:
            connection.abort()
        joined, self._joined = self._joined, None
        if joined is not None:
            joined.leave(self)


def _new_socket(family: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    if family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # finds dead peers of endless event streams
    return sock
