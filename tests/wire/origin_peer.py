"""An HTTP/2 origin in memory: what it says goes into the engine under test, what the engine says is kept as frames."""

from __future__ import annotations

from collections.abc import Iterable

from edge.http.message import Fields
from edge.wire.http2_origin import HTTP2OriginEngine, StreamEvent
from edge.wire.origin import DataReceived, OriginEvent, ResponseFailed
from tests.wire import http2_frames as wire

HOST: Fields = ((b"host", b"a.test"),)
OK = ((b":status", b"200"),)


class OriginPeer:
    """`settings` are the origin's; None: it has not spoken yet."""

    def __init__(self, settings: dict[int, int] | None = None, *, silent: bool = False) -> None:
        self.engine = HTTP2OriginEngine()
        self.events: list[StreamEvent] = []
        self.frames: list[wire.Frame] = []
        self.now = 0.0
        self._reader = wire.FrameReader()
        opening = self.engine.data_to_send(1 << 20)
        assert opening.startswith(wire.PREFACE)
        self.frames += self._reader.read(opening[len(wire.PREFACE) :])
        if not silent:
            self.say(wire.settings(settings))

    def say(self, *chunks: bytes, read: bool = True) -> list[StreamEvent]:
        """The origin speaks, each chunk one read; returns the new events."""
        before = len(self.events)
        for chunk in chunks:
            self.events += self.engine.receive_data(chunk, self.now)
            if read:
                self.read()
        return self.events[before:]

    def read(self, budget: int = 1 << 20) -> list[wire.Frame]:
        """What the engine has to say now."""
        before = len(self.frames)
        while output := self.engine.data_to_send(budget):
            self.frames += self._reader.read(output)
        return self.frames[before:]

    def get(self, method: bytes = b"GET", fields: Fields = HOST) -> int:
        """A request without a body."""
        stream_id = self.engine.begin(method, b"/", fields, 0, ended=True)
        self.read()
        return stream_id

    def post(self, length: int | None = None) -> int:
        """The head of a request with a body."""
        stream_id = self.engine.begin(b"POST", b"/", HOST, length, ended=False)
        self.read()
        return stream_id

    def of(self, stream_id: int) -> list[OriginEvent]:
        """Events of one stream so far."""
        return [event for number, event in self.events if number == stream_id]

    def body(self, stream_id: int) -> bytes:
        """What came of a response's body."""
        return b"".join(bytes(event.data) for event in self.of(stream_id) if isinstance(event, DataReceived))

    def failure(self, stream_id: int) -> str:
        """Why a stream failed, or ""."""
        return next((event.reason for event in self.of(stream_id) if isinstance(event, ResponseFailed)), "")

    def sent(self, kind: int, stream_id: int | None = None) -> list[wire.Frame]:
        """Frames of a kind that the engine has written."""
        return [each for each in self.frames if each.kind == kind and stream_id in (None, each.stream_id)]

    def sent_body(self, stream_id: int) -> bytes:
        """Request body bytes so far."""
        return b"".join(each.payload for each in self.sent(wire.DATA, stream_id))

    def fields(self, head: wire.Frame) -> list[tuple[bytes, bytes]]:
        """The field lines of a HEADERS frame; once per frame and in order."""
        return self._reader.lines(head)


def head(stream_id: int, *fields: tuple[bytes, bytes], end: bool = False, status: bytes = b"200") -> bytes:
    """A response head."""
    return wire.headers(stream_id, ((b":status", status), *fields), end=end)


def trailers(stream_id: int, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The end of a response."""
    return wire.headers(stream_id, fields, end=True)
