"""Sending a body that does not stay in memory: slices of an open file, as fast as the client takes them.

The file stays open from head to end, so a deploy in between does not mix two versions; a file that is written to in place
ends the exchange with an abort, which a client sees, instead of bytes that never belonged together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

from edge.handlers.static.files import BrokenRead, OpenedFile
from edge.http.exchange import Exchange
from edge.http.limits import WRITE_SLICE
from edge.http.message import ResponseHead
from edge.http.ranges import ByteRange, Piece

Defer: TypeAlias = Callable[[Callable[[], None]], object]
"""Calls a function soon, when others had their turn: `loop.call_soon`."""

_SLICES_PER_TURN: Final = 4
"""Slices read before others get their turn; a client that takes everything at once would otherwise hold the loop."""


class Transfer:
    """The rest of one exchange: `pieces` (at least one) in order, then the end. Closes `opened` in any case."""

    def __init__(self, exchange: Exchange, opened: OpenedFile, pieces: list[Piece], defer: Defer) -> None:
        self._exchange = exchange
        self._opened = opened
        self._pieces = deque(pieces)
        self._defer = defer
        self._is_deferred = False
        self._is_over = False

    def start(self, head: ResponseHead) -> None:
        """Send the head and as much of the body as the client takes now."""
        self._exchange.receiver = self
        self._exchange.send_head(head)
        self._send()

    def body_received(self, data: bytes) -> None:
        """A body with a GET means nothing here (RFC 9110 §9.3.1)."""

    def body_ended(self) -> None:
        """See `body_received`."""

    def resume_sending(self) -> None:
        """Go on where `can_send` had stopped us."""
        if not self._is_deferred:
            self._send()

    def exchange_aborted(self, reason: str) -> None:
        """Nobody wants the rest."""
        self._finish()

    def _send(self) -> None:
        for _ in range(_SLICES_PER_TURN):
            if self._is_over or not self._exchange.can_send:
                return
            try:
                data = self._next_slice()
            except BrokenRead:
                self._finish()
                self._exchange.abort("static-file-changed")
                return
            self._exchange.send_body(data)
            if not self._pieces:
                self._end()
                return
        self._is_deferred = True
        self._defer(self._take_turn)

    def _end(self) -> None:
        if not self._is_over:  # the client may have gone while the last slice was sent
            self._finish()
            self._exchange.end()

    def _take_turn(self) -> None:
        self._is_deferred = False
        self._send()

    def _next_slice(self) -> bytes:
        piece = self._pieces.popleft()
        if not isinstance(piece, ByteRange):
            return piece
        stop = min(piece.start + WRITE_SLICE, piece.stop)
        if stop < piece.stop:
            self._pieces.appendleft(ByteRange(stop, piece.stop))
        return self._opened.read(piece.start, stop - piece.start)

    def _finish(self) -> None:
        self._is_over = True
        self._pieces.clear()
        self._opened.close()
