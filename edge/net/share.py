"""How often one client's sockets may be served in one turn of the event loop.

Readers are level-triggered: a callback that returns without reading is called again in the next turn. So whoever has had his
share needs no queue, no pause and no wake-up; he does nothing, and everybody else comes first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sized

ALWAYS = (None, None)
"""Rivals for a share that holds even for whoever is alone."""


class Share:
    """What one client may do in a turn, for all its sockets together; `rivals` are all clients, itself included."""

    __slots__ = ("_left", "_loop", "_rivals", "_size")

    def __init__(self, size: int, loop: asyncio.AbstractEventLoop, rivals: Sized = ALWAYS) -> None:
        self._size = self._left = size
        self._loop = loop
        self._rivals = rivals

    def __repr__(self) -> str:
        return f"<Share {self._left}/{self._size}>"

    def take(self) -> bool:
        """Whether one more of its sockets may be served in this turn."""
        if len(self._rivals) < 2:
            return True
        if not self._left:
            return False
        if self._left == self._size:
            self._loop.call_soon(self._renew)  # runs before the next turn's sockets
        self._left -= 1
        return True

    def _renew(self) -> None:
        self._left = self._size
