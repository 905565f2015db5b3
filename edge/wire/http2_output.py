"""Response bodies that wait for flow control, and whose turn it is (RFC 9113 §5.2, RFC 9218 §10).

Lower urgency first. Within an urgency, incremental responses take turns frame by frame; the others go one after the other.
A stream whose window is shut, or open by a crack, is passed over. The queue knows no connection: windows are arguments.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from edge.http.exchange import Buffer
from edge.http.limits import MAX_FRAME, MIN_SLICE
from edge.wire.http2_priority import Priority

SMALL_PIECE: Final = 512
"""Bytes below which a piece is joined with the one before it: a piece costs 200 bytes, whatever is in it."""


class QueuedBody:
    """The unsent rest of one body, in pieces; `ended` when nothing will be added.

    `trailers` are the header block that ends the stream in place of its last DATA frame; b"" for none."""

    __slots__ = ("_pieces", "ended", "priority", "stream_id", "trailers", "unsent")

    def __init__(self, stream_id: int, priority: Priority) -> None:
        self.stream_id = stream_id
        self.priority = priority
        self.unsent = 0
        self.ended = False
        self.trailers = b""
        self._pieces: deque[memoryview] = deque()

    def append(self, data: Buffer) -> None:
        """Queue, without copying what is worth a piece of its own."""
        size = len(data)
        if not size:
            return
        self.unsent += size
        if size < SMALL_PIECE and self._pieces and len(self._pieces[-1]) < SMALL_PIECE:
            self._pieces[-1] = memoryview(b"".join((self._pieces[-1], data)))
        else:
            self._pieces.append(memoryview(data))

    def sendable(self, window: int, min_slice: int = MIN_SLICE) -> int:
        """Bytes that the next frame may have, or -1 when it has to wait.

        A window below `min_slice` waits unless the rest of the body fits: a peer that opens windows by single bytes would make
        us send ten bytes of framing for each of them. An end without bytes needs no window (RFC 9113 §6.9).
        """
        size = min(self.unsent, max(window, 0), MAX_FRAME)
        if size == self.unsent:
            return size if size or self.ended else -1
        return size if size >= min_slice else -1

    def take(self, size: int) -> list[memoryview]:
        """Remove the next `size` bytes."""
        self.unsent -= size
        taken: list[memoryview] = []
        while size:
            piece = self._pieces[0]
            if len(piece) <= size:
                self._pieces.popleft()
            else:
                self._pieces[0], piece = piece[size:], piece[:size]
            taken.append(piece)
            size -= len(piece)
        return taken


class OutputQueue:
    """The queued bodies of one connection, in the order of their turns. `min_slice`: see `QueuedBody.sendable`."""

    __slots__ = ("_bodies", "_min_slice")

    def __init__(self, min_slice: int = MIN_SLICE) -> None:
        self._bodies: dict[int, QueuedBody] = {}
        self._min_slice = min_slice

    def __len__(self) -> int:
        return len(self._bodies)

    def __contains__(self, stream_id: int) -> bool:
        return stream_id in self._bodies

    def append(self, stream_id: int, data: Buffer, end: bool, priority: Priority, trailers: bytes = b"") -> None:
        """Queue body bytes, or the end, or both."""
        body = self._bodies.get(stream_id)
        if body is None:
            body = self._bodies[stream_id] = QueuedBody(stream_id, priority)
        body.append(data)
        body.ended = body.ended or end
        body.trailers = trailers

    def discard(self, stream_id: int) -> None:
        """Throw away what is queued for a stream; no error when nothing is."""
        self._bodies.pop(stream_id, None)

    def clear(self) -> None:
        """Throw everything away."""
        self._bodies.clear()

    def unsent(self, stream_id: int) -> int:
        """Bytes queued for a stream."""
        body = self._bodies.get(stream_id)
        return body.unsent if body is not None else 0

    def reprioritise(self, stream_id: int, priority: Priority) -> None:
        """The client has changed its mind (PRIORITY_UPDATE, RFC 9218 §7)."""
        body = self._bodies.get(stream_id)
        if body is not None:
            body.priority = priority

    def choose(self, window: Callable[[int], int]) -> tuple[QueuedBody, int] | None:
        """Whose turn it is and how many bytes its frame may have; `window` tells what a stream may send now."""
        best: QueuedBody | None = None
        best_size = 0
        for body in self._bodies.values():
            if best is not None and body.priority.urgency >= best.priority.urgency:
                continue
            size = body.sendable(window(body.stream_id), self._min_slice)
            if size >= 0:
                best, best_size = body, size
        return (best, best_size) if best is not None else None

    def passed_turn(self, body: QueuedBody) -> None:
        """A frame of `body` has been sent: it goes to the back, stays in front, or leaves when it is done."""
        if not body.unsent:
            del self._bodies[body.stream_id]
        elif body.priority.incremental:
            del self._bodies[body.stream_id]
            self._bodies[body.stream_id] = body
