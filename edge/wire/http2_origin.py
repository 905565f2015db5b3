"""The HTTP/2 engine on the origin's side: many requests at a time on one connection (RFC 9113).

    opening ──its SETTINGS──▶ ready ──GOAWAY, or no stream ids left──▶ leaving ──last stream over──▶ (the driver closes)
        └──────── anything that cannot be understood, or a flood ────────▶ failed ◄──┘

Like every engine it owns no socket and no clock. It is fed bytes and returns events, each with the stream that it is about;
after any call the driver must write what `data_to_send` returns. What breaks a rule on a stream fails that stream, what breaks
the connection fails all of them: the origin is another program, and may be an attacker's by now.

Requests that the origin has certainly not touched (RFC 9113 §8.7) fail with the word REFUSED, and may be sent again.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from h2.events import ConnectionTerminated, RemoteSettingsChanged, ResponseReceived, StreamReset
from h2.events import DataReceived as DataArrived
from h2.events import Event as FrameEvent

from edge.errors import UpstreamError
from edge.http.exchange import Buffer
from edge.http.limits import MAX_CONTROL_OUTPUT, ORIGIN_STREAMS
from edge.http.message import Fields
from edge.wire.client_h2 import ClientConnection
from edge.wire.frame_watch import FrameWatch
from edge.wire.hpack_encoder import encode_request_fields
from edge.wire.http2_frames import (
    DATA,
    END_STREAM,
    MAX_STREAM_ID,
    ErrorCode,
    format_goaway,
    format_header,
    format_headers,
    format_ping,
)
from edge.wire.http2_output import OutputQueue, QueuedBody
from edge.wire.http2_priority import DEFAULT_PRIORITY
from edge.wire.origin import OriginEvent, ResponseFailed
from edge.wire.origin_stream import OriginStream

REFUSED: Final = "stream-refused"
"""REFUSED_STREAM, or a GOAWAY that names an earlier stream as the last: not a byte has been acted upon."""

RESET: Final = "stream-reset"
"""The origin gave the response up before its head."""

TRUNCATED: Final = "truncated"
"""The same behind the head, or the end of the connection."""

UNANSWERED: Final = "closed-before-response"
"""The connection ended before the head."""

NOT_HTTP2: Final = "not-http2"
"""What the origin said first is no SETTINGS frame."""

_PING: Final = b"edge-h2c"

StreamEvent: TypeAlias = tuple[int, OriginEvent]
"""A stream and what happened on it. Behind `ResponseEnded` and `ResponseFailed` the stream is over."""


class HTTP2OriginEngine:
    """The client's side of one HTTP/2 connection. `failure`: the constant word for why it has failed, or ""."""

    def __init__(self) -> None:
        self._watch = FrameWatch(from_client=False)
        self._connection = ClientConnection(self._watch.resets)
        self._queue = OutputQueue(min_slice=1)  # an origin with small windows is slow, not an attacker
        self._streams: dict[int, OriginStream] = {}
        self._events: list[StreamEvent] = []
        self.is_ready = False
        """The origin's SETTINGS are here: it speaks HTTP/2, and its limits are known."""
        self.is_leaving = False
        """No new stream may be opened."""
        self.failure = ""

    def __repr__(self) -> str:
        state = self.failure or ("leaving" if self.is_leaving else "ready" if self.is_ready else "opening")
        return f"<HTTP2OriginEngine {state} {len(self._streams)} streams>"

    # -- input --------------------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> list[StreamEvent]:
        """Feed bytes; `now` is monotonic time in seconds, for the budgets. Input after a failure is swallowed."""
        if self.failure:
            return []
        passed = self._watch.observe(data, now)
        for event in self._connection.read(data if passed == len(data) else data[:passed]):
            self._handle(event)
        if self._connection.failure is not None:
            self._fail(self._connection.failure, "http2-protocol")
        elif self._watch.violation is not None:
            self._fail(self._watch.violation.code, self._watch.violation.reason if self.is_ready else NOT_HTTP2)
        return self._take_events()

    def receive_eof(self) -> list[StreamEvent]:
        """The origin will say nothing more, or the connection is gone."""
        self.is_leaving = True
        for stream_id, stream in list(self._streams.items()):
            self._drop(stream_id, TRUNCATED if stream.has_head else UNANSWERED)
        return self._take_events()

    def _take_events(self) -> list[StreamEvent]:
        events, self._events = self._events, []
        return events

    def _handle(self, event: FrameEvent) -> None:
        match event:
            case DataArrived():
                self._data_arrived(event)
            case ResponseReceived():
                self._block_arrived(event)
            case StreamReset():
                self._reset_arrived(event)
            case ConnectionTerminated():
                self._goaway_arrived(event.last_stream_id or 0)
            case RemoteSettingsChanged():
                self.is_ready = True
            case _:
                pass  # windows and pings are h2's own business

    def _block_arrived(self, event: ResponseReceived) -> None:
        stream = self._streams[event.stream_id]
        had_head = stream.has_head
        try:
            events = stream.take_block(tuple(event.headers), event.stream_ended is not None)
        except UpstreamError as error:
            self._refuse(event.stream_id, error)
            return
        if stream.has_head and not had_head:
            self._connection.final_head_received(event.stream_id)
        self._tell(event.stream_id, events, event.stream_ended is not None)

    def _data_arrived(self, event: DataArrived) -> None:
        data, ended = event.data or b"", event.stream_ended is not None
        padding = event.flow_controlled_length - len(data)
        if padding:
            self._connection.give_credit(event.stream_id, padding)
        try:
            events = self._streams[event.stream_id].take_data(data, ended)
        except UpstreamError as error:
            self._refuse(event.stream_id, error)
        else:
            self._tell(event.stream_id, events, ended)

    def _tell(self, stream_id: int, events: list[OriginEvent], ended: bool) -> None:
        self._events += [(stream_id, event) for event in events]
        if ended:
            self._close(stream_id)

    def _close(self, stream_id: int) -> None:
        """The response is whole. What is left of the request is wanted by nobody (RFC 9113 §8.1)."""
        if self._streams[stream_id].request_ended:
            self._connection.close_stream(stream_id, by_reset=False)
            del self._streams[stream_id]
        else:
            self.reset(stream_id)

    def _refuse(self, stream_id: int, error: UpstreamError) -> None:
        """The origin has broken a rule on this stream."""
        self._connection.reset(stream_id, ErrorCode.PROTOCOL_ERROR)
        self._drop(stream_id, error.reason)

    def _reset_arrived(self, event: StreamReset) -> None:
        stream = self._streams.get(event.stream_id)
        self._connection.close_stream(event.stream_id, by_reset=True)
        if stream is None:
            return
        if not event.remote_reset:
            word = "http2-protocol"
        elif event.error_code == ErrorCode.REFUSED_STREAM and not stream.has_head:
            word = REFUSED
        else:
            word = TRUNCATED if stream.has_head else RESET
        self._drop(event.stream_id, word)

    def _goaway_arrived(self, last_stream_id: int) -> None:
        """RFC 9113 §6.8: streams above the last one were not acted upon; the others go on."""
        self.is_leaving = True
        for stream_id in [each for each in self._streams if each > last_stream_id]:
            self._connection.close_stream(stream_id, by_reset=True)
            self._drop(stream_id, REFUSED)

    def _drop(self, stream_id: int, word: str) -> None:
        self._queue.discard(stream_id)
        del self._streams[stream_id]
        self._events.append((stream_id, ResponseFailed(word)))

    def _fail(self, code: int, word: str) -> None:
        self.failure = word
        self.is_leaving = True
        self._connection.write(format_goaway(0, code))
        for stream_id in list(self._streams):
            self._drop(stream_id, word)

    # -- requests -----------------------------------------------------------------------------------------------------

    @property
    def room(self) -> int:
        """How many streams may be opened now."""
        if not self.is_ready or self.is_leaving or self._connection.highest_outbound_stream_id >= MAX_STREAM_ID - 2:
            return 0
        return min(self._connection.remote_settings.max_concurrent_streams, ORIGIN_STREAMS) - len(self._streams)

    def begin(self, method: bytes, target: bytes, fields: Fields, content_length: int | None, *, ended: bool) -> int:
        """Write a request head; returns its stream. Only while there is `room`.

        `fields` begin with `host` and hold nothing hop-by-hop but `te: trailers`; all parts come from validated values.
        `ended`: no body follows. None as length announces none, for a body of unknown length.
        """
        assert self.room > 0, "begin without room"
        stream_id = self._connection.open_stream()
        self._streams[stream_id] = OriginStream(method, ended)
        self._watch.resets.give(1)  # a server may end each stream with one; only more than that is a flood
        head = ((b":method", method), (b":scheme", b"http"), (b":authority", fields[0][1]), (b":path", target))
        length: Fields = () if content_length is None or ended else ((b"content-length", b"%d" % content_length),)
        block = self._connection.encoder.take_size_update() + encode_request_fields((*head, *length, *fields[1:]))
        self._connection.write(format_headers(stream_id, block, end_stream=ended))
        return stream_id

    def send_body(self, stream_id: int, data: Buffer, *, end: bool) -> None:
        """Queue body bytes, or the end, or both; ignored when the stream is over."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._watch.piece_sent()
            self._queue.append(stream_id, data, end, DEFAULT_PRIORITY)

    def reset(self, stream_id: int) -> None:
        """Give an exchange up; no event follows. No error when it is over already."""
        if self._streams.pop(stream_id, None) is not None:
            self._queue.discard(stream_id)
            self._connection.reset(stream_id, ErrorCode.CANCEL)

    def body_consumed(self, stream_id: int, size: int) -> None:
        """So many bytes of a response have been taken: the origin may send as many more."""
        if stream_id in self._streams:
            self._connection.give_credit(stream_id, size)

    def ping(self) -> None:
        """Ask for a sign of life; whatever comes is one."""
        self._connection.write(format_ping(_PING))

    def shut_down(self) -> None:
        """Say that we go (RFC 9113 §6.8), before the driver closes."""
        self.is_leaving = True
        self._connection.write(format_goaway(0, ErrorCode.NO_ERROR))

    # -- output -------------------------------------------------------------------------------------------------------

    def unsent(self, stream_id: int) -> int:
        """Body bytes that wait for flow control or the socket."""
        return self._queue.unsent(stream_id)

    @property
    def wants_data(self) -> bool:
        """False while an origin that does not read what we answer should not make more answers."""
        return self._connection.queued <= MAX_CONTROL_OUTPUT

    def data_to_send(self, budget: int) -> bytes:
        """Bytes to write now: everything but bodies, and about `budget` bytes of those. b"" when there is nothing."""
        control = self._connection.data_to_send()
        if not self._queue or self.failure:
            self._watch.bytes_sent(len(control))
            return control
        parts: list[Buffer] = [control]
        while budget > 0:
            chosen = self._queue.choose(self._connection.window)
            if chosen is None:
                break
            budget -= chosen[1]
            self._write_frame(*chosen, parts)
        output = b"".join(parts)
        self._watch.bytes_sent(len(output))
        return output

    def _write_frame(self, body: QueuedBody, size: int, parts: list[Buffer]) -> None:
        last = body.ended and size == body.unsent
        parts.append(format_header(size, DATA, END_STREAM if last else 0, body.stream_id))
        parts += body.take(size)
        self._connection.use_window(body.stream_id, size)
        self._queue.passed_turn(body)
        if last:
            self._streams[body.stream_id].request_ended = True
