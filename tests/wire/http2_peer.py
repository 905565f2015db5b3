"""Both ends of a connection in memory: an engine under test, and what its peer sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from edge.http.dates import DateCache
from edge.wire.engine import Engine, Event
from edge.wire.http2 import http2_engine_factory
from tests.wire import http2_frames as wire

KINDS = ("h2", "ngh2")
SOME_DAY = 1_800_000_000.0

Some = TypeVar("Some")


def make_engine(kind: str) -> Engine:
    """A new engine whose clock stands still."""
    factory: Callable[[], Engine] = http2_engine_factory("h2" if kind == "h2" else "ngh2", DateCache(lambda: SOME_DAY))
    return factory()


class Peer:
    """A hand-made client. What it sends goes into the engine, what comes back is kept as frames."""

    def __init__(self, kind: str, settings: dict[int, int] | None = None, opening: bytes | None = None) -> None:
        self.engine = make_engine(kind)
        self.frames: list[wire.Frame] = []
        self.events: list[Event] = []
        self.reader = wire.FrameReader()
        self.now = 0.0
        self.send(wire.opening(settings) if opening is None else opening)

    def send(self, *chunks: bytes, read: bool = True) -> list[Event]:
        """Feed chunks, each as one read from a socket; with `read` the answers are taken. Returns the new events."""
        before = len(self.events)
        for chunk in chunks:
            self.events += self.engine.receive_data(chunk, self.now)
            if read:
                self.read()
        return self.events[before:]

    def read(self, budget: int = 1 << 20) -> list[wire.Frame]:
        """Take what the engine has to send, late events included."""
        before = len(self.frames)
        while output := self.engine.data_to_send(budget):
            self.frames += self.reader.read(output)
        if self.engine.has_buffered:
            self.events += self.engine.receive_data(b"", self.now)
        return self.frames[before:]

    def seen(self, kind: int, stream_id: int | None = None) -> list[wire.Frame]:
        """Frames of a kind that the engine has sent so far."""
        return [each for each in self.frames if each.kind == kind and stream_id in (None, each.stream_id)]

    def got(self, kind: type[Some]) -> list[Some]:
        """Events of a kind so far."""
        return [each for each in self.events if isinstance(each, kind)]

    def body(self, stream_id: int) -> bytes:
        """Response body bytes so far."""
        return b"".join(each.payload for each in self.seen(wire.DATA, stream_id))

    @property
    def is_ended(self) -> bool:
        """Whether the engine has closed the connection."""
        return self.engine.must_close and bool(self.seen(wire.GOAWAY))
