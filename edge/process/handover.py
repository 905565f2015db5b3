"""What an old edge and the new one that replaces it say to each other, and the new one's end of it.

    old                                          new
    starts the new one with the sockets     →    reads the configuration, adopts the sockets
    stops its keeper                        ←    Prepared    (or Refused: it ends, and the old one goes on)
    Proceed                                 →    starts a keeper and workers
    lets its workers drain                  ←    Serving
    closes the channel                      →    alone from now on: the keeper may order

There is one keeper at any time, and no challenge is presented while workers accept connections that do not know it. The end of
the channel at any other moment means the same: the old one is gone, whoever is left serves.

Old and new are two versions of this file. Messages may be added; the meaning of those here must never change.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Final, TypeAlias

from msgspec import Struct

from edge.process.channel import Channel

CAPTURE_LIMIT: Final = 64 * 1024
"""Bytes of talk before the handover that are passed on."""


class HandedSocket(Struct, frozen=True):
    """A listening socket by its descriptor, with the name that a service manager gave it."""

    descriptor: int
    name: str = ""


class Handover(Struct, frozen=True):
    """Beside the sockets: the descriptor of the channel, and of the real standard error. Until it is put back, what the new
    edge says on standard error is kept for the old one, which then knows why a start failed, be it a package that is missing."""

    parent: int
    channel: int
    standard_error: int
    sockets: tuple[HandedSocket, ...]
    is_managed: bool = False


class Prepared(Struct, frozen=True, tag="prepared"):
    """New to old: the configuration is good and the sockets are here."""


class Refused(Struct, frozen=True, tag="refused"):
    """New to old: it cannot be done; sentences for the operator."""

    complaints: tuple[str, ...]


class Serving(Struct, frozen=True, tag="serving"):
    """New to old: all workers accept connections."""


class Proceed(Struct, frozen=True, tag="proceed"):
    """Old to new: no keeper works any more."""


ToOld: TypeAlias = Prepared | Refused | Serving
ToNew: TypeAlias = Proceed


class Predecessor:
    """The old edge, as the new one sees it."""

    def __init__(self, sock: socket.socket, standard_error: int) -> None:
        self.channel: Channel[ToNew, ToOld] = Channel(sock, ToNew)
        self.may_proceed = False
        self._standard_error = standard_error
        os.set_inheritable(standard_error, False)

    def __repr__(self) -> str:
        return f"<Predecessor {self.channel!r}>"

    @property
    def is_gone(self) -> bool:
        """Whether it accepts nothing any more and this edge is alone."""
        return not self.channel.is_open

    def restore_standard_error(self) -> None:
        """Say from now on aloud what was kept so far, that first."""
        kept = b""
        with contextlib.suppress(OSError):
            kept = os.pread(2, CAPTURE_LIMIT, 0)
        os.dup2(self._standard_error, 2)
        os.close(self._standard_error)
        with contextlib.suppress(OSError):
            os.write(2, kept)

    def hear(self) -> None:
        """Take what it has said; its end means that there is nothing to wait for."""
        for _ in self.channel.receive():
            self.may_proceed = True
        if self.is_gone:
            self.may_proceed = True
