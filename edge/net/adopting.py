"""Listening sockets that somebody else opened: a service manager (sd_listen_fds(3)), or the edge that this one replaces.

A descriptor number is a claim. It counts when the kernel confirms it: a TCP socket that listens, with an address of its own.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from edge.config.schema import Listen
from edge.errors import StartError
from edge.net.listening import ListeningSocket

FIRST_DESCRIPTOR: Final = 3
"""Behind standard input, output and error."""

PURPOSES: Final = {"http": False, "https": True}
"""Names (`FileDescriptorName=`) that say what a socket is for, whatever its port → whether it speaks TLS."""


class GivenSocket(Struct, frozen=True):
    """A listening socket of somebody else's making, non-blocking and no longer inherited, with the name it was given."""

    sock: socket.socket
    address: str
    port: int
    name: str = ""

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


def adopt_socket(descriptor: int, name: str = "") -> GivenSocket:
    """The socket behind a descriptor. Raises: StartError when it is none that visitors could connect to."""
    if not _is_socket(descriptor):
        raise StartError(f"descriptor {descriptor} was handed over as a socket and is none")
    sock = socket.socket(fileno=descriptor)
    if not _listens(sock):
        sock.detach()  # it is not ours to close
        raise StartError(f"the socket handed over as descriptor {descriptor} is no TCP socket that listens")
    sock.set_inheritable(False)
    sock.setblocking(False)
    host, port = sock.getsockname()[:2]
    return GivenSocket(sock, host, port, name)


def _is_socket(descriptor: int) -> bool:
    try:
        return descriptor >= FIRST_DESCRIPTOR and stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:
        return False


def _listens(sock: socket.socket) -> bool:
    return (
        sock.family in (socket.AF_INET, socket.AF_INET6)
        and sock.type == socket.SOCK_STREAM
        and bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    )


def assign_purposes(listen: Listen, given: Sequence[GivenSocket]) -> tuple[ListeningSocket, ...]:
    """What each socket of a service manager is for: its name says so, or its port. Where there are such sockets edge opens
    none of its own: the service manager's files say where visitors connect.

    Raises: StartError when a socket fits nothing, or none of them speaks TLS.
    """
    by_port = {listen.https_port: True, **({listen.http_port: False} if listen.http_port else {})}
    strange = [each for each in given if PURPOSES.get(each.name, by_port.get(each.port)) is None]
    if strange:
        raise StartError(
            f"sockets were handed over that edge has no use for: {', '.join(map(str, strange))}",
            "say what they are for, in the socket unit: FileDescriptorName=http or FileDescriptorName=https",
            f"or let the ports agree: edge serves {' and '.join(str(port) for port in sorted(by_port))}",
        )
    found = tuple(
        ListeningSocket(each.sock, each.address, each.port, PURPOSES.get(each.name, by_port.get(each.port, True)))
        for each in given
    )
    if not any(each.tls for each in found):
        raise StartError(
            "no socket for HTTPS was handed over",
            f"add one to the socket units: ListenStream={listen.https_port} with FileDescriptorName=https",
        )
    return found
