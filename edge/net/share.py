"""How often one client's sockets may be served in one turn of the event loop.

Whoever has had his share waits until the next turn, when everybody else has been served. He is called again then, though his
socket would be reported again anyway: uvloop reports an error on a socket only once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sized

ALWAYS = (None, None)
"""Rivals for a share that holds even for whoever is alone."""


class Share:
    """What one client may do in a turn, for all its sockets together; `rivals` are all clients, itself included."""

    __slots__ = ("_left", "_loop", "_rivals", "_size", "_waiting")

    def __init__(self, size: int, loop: asyncio.AbstractEventLoop, rivals: Sized = ALWAYS) -> None:
        self._size = self._left = size
        self._loop = loop
        self._rivals = rivals
        self._waiting: dict[Callable[[], None], None] = {}  # in the order of their turns

    def __repr__(self) -> str:
        return f"<Share {self._left}/{self._size}, {len(self._waiting)} wait>"

    def take(self, serve: Callable[[], None]) -> bool:
        """Whether one more socket may be served in this turn. If not, `serve` is called in one of the next; it asks again.

        By then the socket may be gone, or nobody may want to read from it: `serve` has to look."""
        if len(self._rivals) < 2:
            self._waiting.pop(serve, None)
            return True
        if not self._left:
            self._waiting[serve] = None
            return False
        if self._left == self._size:
            self._loop.call_soon(self._renew)  # runs before the next turn's sockets
        self._left -= 1
        self._waiting.pop(serve, None)
        return True

    def _renew(self) -> None:
        self._left = self._size
        while self._waiting and self._left:
            serve = next(iter(self._waiting))
            del self._waiting[serve]
            serve()
