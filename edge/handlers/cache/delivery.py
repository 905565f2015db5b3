"""Sending a body that is stored, or being stored, at the visitor's pace: each reads for himself, nobody waits for another.

file or memory  ──read──▶ pieces ──▶ visitor
what does not fit in any more  ──▶ behind them, straight from the origin (only one visitor has that)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from edge.handlers.cache.bodies import Damaged
from edge.handlers.cache.record import SLICE
from edge.http.exchange import Buffer, Exchange
from edge.http.message import ResponseHead
from edge.http.ranges import ByteRange, Piece

SLICES_PER_TURN: Final = 4
"""Slices sent before others get their turn."""


class Source(Protocol):
    """What a delivery reads from; `edge.handlers.cache.store` has two."""

    def read(self, start: int, size: int) -> bytes:
        """At most `size` bytes, at least one. Raises: Damaged."""


class Delivery:
    """The rest of one exchange, its receiver. `left` is called once, when nothing more is read.

    `available` bytes can be read; when there are more, or the last ones have come, `grown` says so.
    """

    def __init__(
        self,
        exchange: Exchange,
        source: Source,
        pieces: list[Piece],
        available: int,
        left: Callable[[Delivery], None],
        defer: Callable[[Callable[[], None]], object],
    ) -> None:
        self._exchange = exchange
        self._source = source
        self._pieces = deque(pieces)
        self._available = available
        self._left = left
        self._defer = defer
        self._behind: deque[Buffer] = deque()
        self._is_deferred = False
        self._is_over = False
        self.drained: Callable[[], None] | None = None
        """More may come behind the pieces, and who sends it is told here that everything has been taken. None: they are all."""

    def __repr__(self) -> str:
        return f"<Delivery {list(self._pieces)} of {self._available} behind={len(self._behind)}>"

    def start(self, head: ResponseHead) -> None:
        """Send the head and as much of the body as the visitor takes now."""
        self._exchange.receiver = self
        self._exchange.send_head(head)
        self._send()

    @property
    def keeps_up(self) -> bool:
        """Whether everything has been sent that has come."""
        return not self._behind and self._exchange.can_send

    def grown(self, available: int, *, ends: bool = False) -> None:
        """There is more to read; with `ends` nothing will come behind it."""
        if self._is_over:
            return
        self._available = available
        if ends and self._pieces and isinstance(last := self._pieces[-1], ByteRange):
            self._pieces[-1] = ByteRange(min(last.start, available), min(last.stop, available))
        if not self._is_deferred:
            self._send()

    def append(self, data: Buffer) -> None:
        """More that could not be stored; `grown` with `ends` must have said how much can be read."""
        if not self._is_over:
            self._behind.append(data)
            self._continue()

    def close_behind(self) -> None:
        """Nothing more will be appended."""
        self.drained = None
        self._continue()

    def abort(self, reason: str) -> None:
        """The rest will never come."""
        if not self._is_over:
            self._finish()
            self._exchange.abort(reason)

    # -- the receiver's part ------------------------------------------------------------------------------------------

    def body_received(self, data: bytes) -> None:
        """There is none with a GET that a cache answers."""

    def body_ended(self) -> None:
        """See `body_received`."""

    def resume_sending(self) -> None:
        """Go on where `can_send` had stopped us."""
        self._continue()

    def exchange_aborted(self, reason: str) -> None:
        """Nobody wants the rest."""
        self._finish()

    # -- sending ------------------------------------------------------------------------------------------------------

    def _continue(self) -> None:
        if not (self._is_deferred or self._is_over):
            self._send()

    def _send(self) -> None:
        exchange = self._exchange
        for _ in range(SLICES_PER_TURN):
            if self._is_over or not exchange.can_send:
                return
            if not self._pieces:
                if not self._send_behind():
                    return
                continue
            data = self._next_slice()
            if data is None:
                return
            if data:
                exchange.send_body(data)
        if not self._is_over:
            self._is_deferred = True
            self._defer(self._take_turn)

    def _take_turn(self) -> None:
        self._is_deferred = False
        self._continue()

    def _send_behind(self) -> bool:
        """What comes behind the file, or the end; whether to go on."""
        if self._behind:
            self._exchange.send_body(self._behind.popleft())
            return True
        if self.drained is None:
            self._finish()
            self._exchange.end()
        else:
            self.drained()
        return False

    def _next_slice(self) -> bytes | None:
        """The next bytes, b"" for a piece that turned out empty; None when they are not there (yet, or ever)."""
        piece = self._pieces[0]
        if not isinstance(piece, ByteRange):
            self._pieces.popleft()
            return piece
        stop = min(piece.stop, piece.start + SLICE, self._available)
        if stop <= piece.start:
            if piece.start < piece.stop:
                return None
            self._pieces.popleft()
            return b""
        try:
            data = self._source.read(piece.start, stop - piece.start)
        except Damaged:
            self.abort("cache-damaged")
            return None
        reached = piece.start + len(data)
        if reached < piece.stop:
            self._pieces[0] = ByteRange(reached, piece.stop)
        else:
            self._pieces.popleft()
        return data

    def _finish(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._pieces.clear()
            self._behind.clear()
            self._left(self)
