"""The reference HTTP/2 engine: python-h2, hardened, pure Python.

h2 reads (see `server_h2`); what is sent is written here, because a response is a cached header block and a few slices of
its body, and because who may send how much is ours to decide.
"""

from __future__ import annotations

from h2.events import DataReceived, RequestReceived, StreamReset, TrailersReceived, UnknownFrameReceived
from h2.events import Event as FrameEvent
from hyperframe.frame import ExtensionFrame

from edge.http.exchange import Buffer
from edge.http.limits import MAX_CONTROL_OUTPUT, MAX_FRAME, STREAM_WINDOW, UPLOAD_WINDOW
from edge.http.message import Fields, ResponseHead
from edge.wire.hpack_encoder import HeadEncoder, encode_fields
from edge.wire.http2_engine import Http2Engine
from edge.wire.http2_frames import (
    DATA,
    END_STREAM,
    MAX_STREAM_ID,
    PRIORITY_UPDATE,
    ErrorCode,
    format_goaway,
    format_header,
    format_headers,
)
from edge.wire.http2_output import OutputQueue, QueuedBody
from edge.wire.http2_priority import parse_priority
from edge.wire.http2_stream import Stream
from edge.wire.server_h2 import ServerConnection


class H2Engine(Http2Engine):
    """HTTP/2 by python-h2; the contract is `edge.wire.engine.Engine`."""

    def __init__(self, heads: HeadEncoder, scheme: bytes = b"https") -> None:
        super().__init__(scheme)
        self._heads = heads
        self._connection = ServerConnection(self._watch.resets)
        self._queue = OutputQueue()

    # -- input ---------------------------------------------------------------------------------------------------------

    def _feed(self, data: bytes) -> None:
        for event in self._connection.receive_data(data):
            if not self._failed:
                self._handle(event)
        self._peer_leaves = self._peer_leaves or self._connection.peer_leaves
        if self._connection.failure is not None:
            self._fail(self._connection.failure, "http2-protocol")

    def _handle(self, event: FrameEvent) -> None:
        match event:
            case RequestReceived(stream_id=stream_id, headers=headers, stream_ended=end):
                self._head_arrived(stream_id, tuple(headers), end is not None)
            case DataReceived():
                ended = event.stream_ended is not None
                self._data_arrived(event.stream_id, event.data or b"", event.flow_controlled_length, ended)
            case TrailersReceived(stream_id=stream_id, headers=headers):
                self._trailers_arrived(stream_id, tuple(headers))
            case StreamReset():
                self._handle_reset(event.stream_id, event.remote_reset)
            case UnknownFrameReceived():
                self._handle_extension(event)
            case _:
                pass  # windows, settings and pings are h2's own business

    def _handle_reset(self, stream_id: int, by_client: bool) -> None:
        self._connection.close_stream(stream_id, by_reset=True)
        self._reset_arrived(stream_id, "client-reset" if by_client else "stream-error")
        if not by_client:
            self._pay_reset()

    def _handle_extension(self, event: UnknownFrameReceived) -> None:
        """PRIORITY_UPDATE (RFC 9218 §7.1) for a stream that is open; everything else is ignored (RFC 9113 §5.5)."""
        frame = event.frame
        if (
            not isinstance(frame, ExtensionFrame)
            or frame.type != PRIORITY_UPDATE
            or frame.stream_id
            or len(frame.body) < 4
        ):
            return
        body = frame.body
        stream_id = int.from_bytes(body[:4]) & MAX_STREAM_ID
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.wished_priority = parse_priority(body[4:])
            self._queue.reprioritise(stream_id, stream.wished_priority)

    @property
    def wants_data(self) -> bool:
        return self._connection.queued <= MAX_CONTROL_OUTPUT

    def _give_credit(self, stream_id: int, credit: int) -> None:
        if credit:
            self._connection.acknowledge_received_data(credit, stream_id)

    def _widen_window(self, stream_id: int) -> None:
        self._connection.increment_flow_control_window(UPLOAD_WINDOW - STREAM_WINDOW, stream_id)

    # -- output --------------------------------------------------------------------------------------------------------

    def _write_interim(self, stream_id: int, status: int, fields: Fields) -> None:
        self._write_block(stream_id, self._heads.encode_interim(status, fields), end=False)

    def _write_head(self, stream_id: int, head: ResponseHead, end: bool) -> None:
        self._write_block(stream_id, self._heads.encode(head), end)
        if end:
            self._end_written(stream_id)

    def _write_block(self, stream_id: int, block: bytes, end: bool) -> None:
        block = self._connection.encoder.take_size_update() + block
        self._connection.write(format_headers(stream_id, block, end))

    def _write_body(self, stream_id: int, data: Buffer, end: bool) -> None:
        self._queue.append(stream_id, data, end, self._streams[stream_id].priority)

    def _write_trailers(self, stream_id: int, trailers: Fields) -> None:
        self._queue.append(stream_id, b"", True, self._streams[stream_id].priority, encode_fields(trailers))

    def _write_whole(self, stream: Stream, head: ResponseHead, body: Buffer) -> None:
        """A small body goes out with its head, if windows allow and the peer takes what it gets."""
        size, stream_id, connection = len(body), stream.stream_id, self._connection
        if not size or size > min(MAX_FRAME, connection.window(stream_id)) or not self.wants_data or self._queue:
            super()._write_whole(stream, head, body)
            return
        stream.response_ended = True
        self._write_block(stream_id, self._heads.encode(head), end=False)
        connection.write(format_header(size, DATA, END_STREAM, stream_id))
        connection.write(body)
        connection.use_window(stream_id, size)
        self._end_written(stream_id)

    def _end_written(self, stream_id: int) -> None:
        stream = self._streams[stream_id]
        if stream.request_ended:
            self._finish(stream_id)
        else:
            self._answer_is_out(stream)

    def _finish(self, stream_id: int) -> None:
        self._connection.close_stream(stream_id, by_reset=False)
        self._forget(stream_id)

    def _write_reset(self, stream_id: int, code: int) -> None:
        self._queue.discard(stream_id)
        self._connection.reset(stream_id, code)

    def _write_goaway(self, final: bool) -> None:
        self._connection.refuses_streams = final
        last = self._connection.highest_inbound_stream_id if final else MAX_STREAM_ID
        self._connection.write(format_goaway(last, ErrorCode.NO_ERROR))

    def _write_failure(self, code: int) -> None:
        self._queue.clear()
        self._connection.write(format_goaway(self._connection.highest_inbound_stream_id, code))

    def _report_abort(self, stream: Stream, reason: str) -> None:
        self._queue.discard(stream.stream_id)
        super()._report_abort(stream, reason)

    def data_to_send(self, budget: int) -> bytes:
        control = self._connection.data_to_send()
        if not self._queue:
            self._watch.bytes_sent(len(control))
            return control
        parts: list[Buffer] = [control]
        while budget > 0:
            chosen = self._queue.choose(self._connection.window)
            if chosen is None:
                break
            budget -= chosen[1]
            self._write_frame(*chosen, parts)
        parts.append(self._connection.data_to_send())
        self._look_for_room()
        output = b"".join(parts)
        self._watch.bytes_sent(len(output))
        return output

    def _write_frame(self, body: QueuedBody, size: int, parts: list[Buffer]) -> None:
        last = body.ended and size == body.unsent
        if size or not body.trailers:
            flags = END_STREAM if last and not body.trailers else 0
            parts.append(format_header(size, DATA, flags, body.stream_id))
            parts += body.take(size)
            self._connection.use_window(body.stream_id, size)
        if last and body.trailers:
            block = self._connection.encoder.take_size_update() + body.trailers
            parts.append(format_headers(body.stream_id, block, end_stream=True))
        self._queue.passed_turn(body)
        if last:
            self._end_written(body.stream_id)

    def unsent(self, stream_id: int) -> int:
        return self._queue.unsent(stream_id)

    @property
    def _has_output(self) -> bool:
        return bool(self._connection.queued or self._queue)
