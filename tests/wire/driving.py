"""Drivers for the sans-I/O engines: feed bytes in pieces, answer what comes, collect what was seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from edge.http.message import ResponseHead
from edge.wire.engine import BodyReceived, Event, RequestEnded, RequestReceived, RequestRefused
from edge.wire.http1 import HTTP1Engine
from edge.wire.http1_origin import HTTP1OriginEngine
from edge.wire.origin import DataReceived, HeadReceived, InterimReceived, OriginEvent, ResponseEnded


def whole(data: bytes) -> list[bytes]:
    """All in one read."""
    return [data]


def byte_by_byte(data: bytes) -> list[bytes]:
    """The smallest reads there are."""
    return [data[index : index + 1] for index in range(len(data))]


def cut(data: bytes, sizes: Iterable[int]) -> Iterator[bytes]:
    """Reads of these sizes, then the rest."""
    position = 0
    for size in sizes:
        yield data[position : position + size]
        position += size
    yield data[position:]


class Visit:
    """One connection whose requests are all answered with 200 as soon as they are complete, bad ones with their status."""

    def __init__(self, scheme: bytes = b"http") -> None:
        self.engine = HTTP1Engine(scheme)
        self.events: list[Event] = []
        """All events; neighbouring pieces of a body are joined."""
        self.written = b""

    def read(self, pieces: Iterable[bytes]) -> Visit:
        """Feed the pieces in order, as a driver does."""
        for piece in pieces:
            self._handle(self.engine.receive_data(piece, 0.0))
            while self.engine.has_buffered:
                self._handle(self.engine.receive_data(b"", 0.0))
        return self

    def end(self) -> Visit:
        """The client sends no more."""
        self._handle(self.engine.receive_eof())
        while self.engine.has_buffered:
            self._handle(self.engine.receive_data(b"", 0.0))
        return self

    @property
    def requests(self) -> list[tuple[bytes, bytes]]:
        """Target and body of every complete request."""
        bodies: dict[int, tuple[bytes, bytes]] = {}
        complete: set[int] = set()
        for event in self.events:
            if isinstance(event, RequestReceived):
                bodies[event.stream_id] = (event.request.target, b"")
                complete |= {event.stream_id} if event.ended else set()
            elif isinstance(event, BodyReceived):
                target, body = bodies[event.stream_id]
                bodies[event.stream_id] = (target, body + event.data)
            elif isinstance(event, RequestEnded):
                complete.add(event.stream_id)
        return [bodies[stream_id] for stream_id in sorted(complete)]

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            last = self.events[-1] if self.events else None
            if isinstance(event, BodyReceived) and isinstance(last, BodyReceived):
                data = last.data + event.data
                self.events[-1] = BodyReceived(event.stream_id, data, len(data))
                continue
            self.events.append(event)
            self._answer(event)
        self.written += self.engine.data_to_send(65536)

    def _answer(self, event: Event) -> None:
        if isinstance(event, RequestRefused):
            self.engine.send_response(event.stream_id, ResponseHead(event.status), b"refused")
        elif isinstance(event, RequestEnded) or (isinstance(event, RequestReceived) and event.ended):
            self.engine.send_response(event.stream_id, ResponseHead(200), b"fine")


def read_response(pieces: Iterable[bytes], method: bytes = b"GET", eof: bool = True) -> list[OriginEvent]:
    """What a fresh origin engine makes of the pieces after a request with `method`; body pieces are joined."""
    engine = HTTP1OriginEngine()
    engine.begin(method)
    events: list[OriginEvent] = []
    for piece in pieces:
        events += engine.receive_data(piece)
    return joined(events + (engine.receive_eof() if eof else []))


def joined(events: list[OriginEvent]) -> list[OriginEvent]:
    """The events with neighbouring body pieces joined."""
    out: list[OriginEvent] = []
    for event in events:
        if isinstance(event, DataReceived) and out and isinstance(out[-1], DataReceived):
            out[-1] = DataReceived(bytes(out[-1].data) + bytes(event.data))
        else:
            out.append(event)
    return out


def comparable(events: list[OriginEvent]) -> list[object]:
    """The events as values that compare by content."""
    return [
        (event.head.status, event.head.fields, event.head.content_length, event.ended)
        if isinstance(event, HeadReceived)
        else (event.status, event.fields)
        if isinstance(event, InterimReceived)
        else event
        for event in events
    ]


def upto_end(events: list[OriginEvent]) -> list[object]:
    """The same up to the end of the response: whether bytes behind it came with it or later is chance."""
    ends = [index for index, event in enumerate(events) if isinstance(event, ResponseEnded)]
    return [*comparable(events[: ends[0]]), "end"] if ends else comparable(events)
