"""What a supervisor is born with, told by its environment: listening sockets, and perhaps an edge that it is to replace.

    LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES    sockets of a service manager (sd_listen_fds(3))
    EDGE_HANDOVER                             a JSON value of the edge that started this one (see `handover`)

An environment is text from elsewhere: it is parsed here, once, and whatever it claims about descriptors is checked with the
kernel. The variables are taken away, so that nothing started later believes them too.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import MutableMapping
from typing import Final

import msgspec
from msgspec import Struct

from edge.errors import StartError
from edge.net.adopting import FIRST_DESCRIPTOR, GivenSocket, adopt_socket
from edge.process.handover import Handover, Predecessor

HANDOVER: Final = "EDGE_HANDOVER"

MAX_SOCKETS: Final = 1000
"""More addresses than anybody listens on."""

_COUNT: Final = re.compile(r"[0-9]{1,4}", re.ASCII)


class Inheritance(Struct, frozen=True):
    """`sockets` listen already. `is_managed`: they are a service manager's, and edge opens no others."""

    sockets: tuple[GivenSocket, ...] = ()
    is_managed: bool = False
    predecessor: Predecessor | None = None


def take_inheritance(environ: MutableMapping[str, str]) -> Inheritance:
    """What the environment of this process describes, the variables removed. Raises: StartError when it cannot be true.

    During an upgrade standard error is the real one again afterwards; until then it was kept for the old edge.
    """
    meant, count, names = (environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"))
    handover = environ.pop(HANDOVER, "")
    if handover:
        return _from_predecessor(handover)
    if meant == str(os.getpid()) and count:
        return _from_manager(count, names)
    return Inheritance()


def _from_manager(count: str, names: str) -> Inheritance:
    if not _COUNT.fullmatch(count) or int(count) > MAX_SOCKETS:
        raise StartError(f"LISTEN_FDS in the environment is {count[:40]!r}, which is no number of sockets")
    given = names.split(":") if names else []
    sockets = tuple(
        adopt_socket(FIRST_DESCRIPTOR + index, given[index] if index < len(given) else "")
        for index in range(int(count))
    )
    return Inheritance(sockets, is_managed=bool(sockets))


def _from_predecessor(text: str) -> Inheritance:
    try:
        handover = msgspec.json.decode(text, type=Handover)
    except msgspec.MsgspecError as problem:
        raise StartError(f"{HANDOVER} in the environment cannot be understood: {problem}") from problem
    if handover.parent != os.getppid():
        raise StartError(f"{HANDOVER} in the environment is of another process; unset it")
    sockets = tuple(adopt_socket(each.descriptor, each.name) for each in handover.sockets[:MAX_SOCKETS])
    predecessor = _predecessor(handover)
    predecessor.restore_standard_error()
    return Inheritance(sockets, handover.is_managed, predecessor)


def _predecessor(handover: Handover) -> Predecessor:
    try:
        channel = socket.socket(fileno=handover.channel)
        channel.set_inheritable(False)
        return Predecessor(channel, handover.standard_error)
    except OSError as problem:
        raise StartError(f"{HANDOVER} in the environment names descriptors that are not there") from problem
