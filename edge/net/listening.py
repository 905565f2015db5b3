"""Listening sockets: opened once by the supervisor, shared by every worker it forks.

IPv6 and IPv4 are two sockets (`IPV6_V6ONLY`), so that an IPv4 visitor never looks like `::ffff:192.0.2.1` and one family can
be missing. Opening is all or nothing, and a failure names every address that could not be had, not just the first.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from edge.config.schema import Listen
from edge.net.listening_problems import ListenProblem, start_error

ALL_ADDRESSES: Final = ("::", "0.0.0.0")  # noqa: S104 – a public server listens everywhere unless told otherwise
"""What an empty `bind` stands for."""

BACKLOG: Final = 1024
"""Connections that wait while all workers are busy or being replaced; the kernel caps it at net.core.somaxconn."""

NO_IPV6: Final = frozenset((errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL))
"""How a machine without IPv6, or with IPv6 switched off, refuses `::`."""


class ListeningSocket(Struct, frozen=True):
    """A bound, listening, non-blocking socket and what it is for. Whoever opened it closes `sock`."""

    sock: socket.socket
    address: str
    port: int
    tls: bool

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


class _Endpoint(Struct, frozen=True):
    address: str
    port: int
    tls: bool
    optional: bool
    """Whether this machine may lack the address."""


def open_listeners(listen: Listen, keep: Sequence[ListeningSocket] = ()) -> tuple[ListeningSocket, ...]:
    """All listening sockets that the configuration asks for, in its order, plain HTTP before HTTPS.

    A socket in `keep` that is already bound to a wanted address is used again, the same object: no connection that waits in it
    is lost. What `keep` holds beyond that is left as it is, for the caller to close.
    Raises: StartError with every problem; sockets opened by this call are then closed again.
    """
    bound = {(each.address, each.port): each.sock for each in keep}
    opened: list[ListeningSocket] = []
    problems: list[ListenProblem] = []
    for endpoint in _endpoints(listen):
        try:
            sock = bound.get((endpoint.address, endpoint.port)) or _open(endpoint.address, endpoint.port, keep)
        except OSError as refusal:
            if not (endpoint.optional and refusal.errno in NO_IPV6):
                problems.append(ListenProblem(endpoint.address, endpoint.port, refusal.errno or 0))
        else:
            opened.append(ListeningSocket(sock, endpoint.address, endpoint.port, endpoint.tls))
    if problems:
        close_listeners(opened, keep)
        raise start_error(problems)
    return tuple(opened)


def close_listeners(listeners: Sequence[ListeningSocket], keep: Sequence[ListeningSocket] = ()) -> None:
    """Close those whose socket is not also in `keep`."""
    kept = {id(each.sock) for each in keep}
    for listener in listeners:
        if id(listener.sock) not in kept:
            listener.sock.close()


def _endpoints(listen: Listen) -> list[_Endpoint]:
    ports = [(listen.http_port, False)] if listen.http_port else []
    ports.append((listen.https_port, True))
    addresses = listen.bind or ALL_ADDRESSES
    return [
        _Endpoint(address, port, tls, optional=not listen.bind and address == "::")
        for port, tls in ports
        for address in addresses
    ]


def _open(address: str, port: int, keep: Sequence[ListeningSocket]) -> socket.socket:
    beside = [each.sock for each in keep if each.port == port]
    family, _, _, _, target = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[0]
    with contextlib.ExitStack() as undo:
        sock = undo.enter_context(socket.socket(family, socket.SOCK_STREAM))
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        with _port_shared([sock, *beside] if beside else []):
            sock.bind(target)
            sock.listen(BACKLOG)
        undo.pop_all()
    return sock


@contextlib.contextmanager
def _port_shared(ours: Sequence[socket.socket]) -> Iterator[None]:
    """Let these sockets of ours be bound to one port, though the address of one includes the other's.

    A reload from `127.0.0.1` to all addresses opens the new socket while the old one still serves. The permission is taken
    back at once: with it, a second edge of the same user would share the port without anybody noticing."""
    for sock in ours:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        yield
    finally:
        for sock in ours:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)
