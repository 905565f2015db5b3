"""A legitimate client (python-h2) joined to an engine, and the answers that tests give it."""

from __future__ import annotations

from typing import Any

import h2.config
import h2.connection
import h2.events

from edge.http.message import ResponseHead
from edge.wire.engine import Engine
from tests.wire import http2_frames as wire

OK = (b"x-answer", b"yes")
TEXT = b"hello"


def ok(length: int | None = len(TEXT)) -> ResponseHead:
    return ResponseHead(200, (OK,), length)


class Client:
    """A real client (python-h2), joined to an engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
        self.h2.initiate_connection()
        self.seen: list[Any] = []

    def exchange(self) -> list[Any]:
        """Move bytes both ways until nothing moves; returns the engine's events."""
        events: list[Any] = []
        while True:
            up = self.h2.data_to_send()
            if up:
                events += self.engine.receive_data(up, 0.0)
            down = self.engine.data_to_send(65536)
            for event in self.h2.receive_data(down):
                self.seen.append(event)
                if isinstance(event, h2.events.DataReceived):
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if not up and not down:
                return events

    def get(self, *fields: tuple[bytes, bytes]) -> int:
        stream_id = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream_id, [*wire.GET, *fields], end_stream=True)
        return stream_id

    def body(self, stream_id: int) -> bytes:
        pieces = [e for e in self.seen if isinstance(e, h2.events.DataReceived) and e.stream_id == stream_id]
        return b"".join(each.data or b"" for each in pieces)
