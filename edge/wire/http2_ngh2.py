"""The fast HTTP/2 engine: libnghttp2 through the package ngh2, an optional extra.

The library checks requests itself and resets what it does not like; what it lets through meets the same validator as
everywhere. Some of its verdicts (body length, trailers) come only once output has been taken, so a little output is taken
ahead after each input. Unlike the reference engine it fills any window, however small: against single-byte windows stand the
control budget and the driver's deadlines.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from msgspec import Struct
from ngh2 import (
    Configuration,
    Connection,
    ConnectionClosed,
    Event,
    NGH2Error,
    Priority,
    PriorityUpdateReceived,
    Role,
    Setting,
    StreamClosed,
    StreamReset,
)
from ngh2 import DataReceived as DataArrived
from ngh2 import GoAwayReceived as GoAwayArrived
from ngh2 import RequestReceived as HeadArrived
from ngh2 import TrailersReceived as TrailersArrived

from edge.http.dates import DateCache
from edge.http.exchange import Buffer
from edge.http.limits import (
    CONNECTION_WINDOW,
    HEAD_TOLERANCE,
    MAX_CONTROL_OUTPUT,
    MAX_FIELDS,
    MAX_FRAME,
    MAX_HEAD,
    MAX_STREAMS,
    STREAM_WINDOW,
    UPLOAD_WINDOW,
)
from edge.http.message import Field, Fields, ResponseHead
from edge.wire.hpack_encoder import announces_length
from edge.wire.http2_engine import Http2Engine
from edge.wire.http2_frames import ErrorCode, format_goaway
from edge.wire.http2_priority import DEFAULT_PRIORITY, parse_priority
from edge.wire.http2_stream import Stream

_CONFIGURATION: Final = Configuration(
    auto_window_update=False,
    # The limits of `frame_watch` are stricter than the library's own, which stay as a second line. Beyond these two it ends
    # the connection; up to here our validator can answer 431 on the stream.
    max_inbound_header_count=MAX_FIELDS * HEAD_TOLERANCE,
    max_inbound_header_list_size=MAX_HEAD * HEAD_TOLERANCE,
)

_SETTINGS: Final = {
    Setting.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
    Setting.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
    Setting.MAX_HEADER_LIST_SIZE: MAX_HEAD,
    Setting.ENABLE_CONNECT_PROTOCOL: 1,
    Setting.NO_RFC7540_PRIORITIES: 1,
}

_AHEAD: Final = 4 * 1024
"""Output taken after an input: room for the resets that carry late verdicts, which the library sends before bodies."""

_MIN_OUTPUT: Final = 1024
"""Output taken even when the driver's budget for bodies is spent: answers to pings and settings go first."""


_TAKES_TURNS: Final = Priority(DEFAULT_PRIORITY.urgency, DEFAULT_PRIORITY.incremental)

_LATE: Final = suppress(NGH2Error)
"""Around writes to a stream that the library may have ended already; the event that says so comes with the next output."""


_MEMO_KEY: Final = "ngh2"


class _Dated(Struct, frozen=True, gc=False):
    """The header list of a response head that is sent again and again, for as long as the second lasts."""

    date: bytes
    headers: tuple[Field, ...]


class Ngh2Engine(Http2Engine):
    """HTTP/2 by libnghttp2; the contract is `edge.wire.engine.Engine`."""

    def __init__(self, dates: DateCache, scheme: bytes = b"https") -> None:
        super().__init__(scheme)
        self._dates = dates
        self._ahead: list[bytes] = []
        self._ahead_size = 0
        self._reset_known: set[int] = set()  # streams whose end by a reset has been dealt with
        self._unread: set[int] = set()  # answered in full while the request body is still coming
        self._closed = False  # the library is through with this connection
        self._connection = Connection(Role.SERVER, _CONFIGURATION)
        self._connection.initiate_connection(_SETTINGS)
        self._connection.set_local_window_size(CONNECTION_WINDOW)

    # -- input ---------------------------------------------------------------------------------------------------------

    def _feed(self, data: bytes) -> None:
        try:
            self._connection.receive_data(data)
        except NGH2Error:
            self._handle_events()
            self._break()
        else:
            self._handle_events()
            self._take_ahead()

    def _break(self) -> None:
        """The library has given up and says nothing more, so the GOAWAY is ours."""
        self._closed = True
        self._ahead.append(format_goaway(self._newest_stream, ErrorCode.ENHANCE_YOUR_CALM))
        self._fail(ErrorCode.ENHANCE_YOUR_CALM, "http2-protocol")

    def _take_ahead(self) -> None:
        if self._connection.want_write and self._ahead_size <= MAX_CONTROL_OUTPUT:
            self._take(_AHEAD)

    def _take(self, amount: int) -> None:
        """Move output of the library to what waits for the driver, and handle the events that come with it."""
        if self._closed:
            return
        try:
            output = self._connection.data_to_send(amount)
        except NGH2Error:
            self._break()
            return
        if output:
            self._ahead.append(output)
            self._ahead_size += len(output)
            self._watch.bytes_sent(len(output))
            self._handle_events()
        if self._unread and len(output) < amount and self._note_answers():
            self._take(_AHEAD)

    def _handle_events(self) -> None:
        for event in self._connection.events():
            if not self._failed:
                self._handle(event)

    def _handle(self, event: Event) -> None:
        match event:
            case HeadArrived():
                self._head_arrived(event.stream_id, event.headers, event.end_stream)
            case StreamClosed():
                self._stream_closed(event.stream_id, event.error_code)
            case DataArrived():
                self._data_arrived(event.stream_id, event.data, len(event.data), event.end_stream)
            case TrailersArrived():
                self._trailers_arrived(event.stream_id, event.headers)
            case StreamReset():
                self._stream_reset(event.stream_id)
            case PriorityUpdateReceived():
                self._priority_updated(event.prioritized_stream_id, event.field_value)
            case GoAwayArrived():
                self._peer_leaves = True
            case ConnectionClosed():
                self._connection_closed(event.error_code)
            case _:
                pass  # windows, settings and pings are the library's own business

    def _stream_reset(self, stream_id: int) -> None:
        if stream_id in self._streams:
            self._reset_known.add(stream_id)
            self._reset_arrived(stream_id, "client-reset")

    def _priority_updated(self, stream_id: int, wish: bytes) -> None:
        """The library obeys by itself; a response that has not begun must not be put back among those without a wish."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.wished_priority = parse_priority(wish)

    def _stream_closed(self, stream_id: int, code: int) -> None:
        """Both sides have ended, or the library did not like the request: often only now, after its head was passed on."""
        self._unread.discard(stream_id)
        if stream_id in self._reset_known:
            self._reset_known.discard(stream_id)
        elif not code:
            self._forget(stream_id)
        else:
            self._reset_arrived(stream_id, "stream-error")
            self._pay_reset()

    def _connection_closed(self, code: int) -> None:
        self._closed = True
        if code:
            self._fail(code, "http2-protocol")
        else:
            self._peer_leaves = True

    @property
    def wants_data(self) -> bool:
        return self._ahead_size <= MAX_CONTROL_OUTPUT

    def _give_credit(self, stream_id: int, credit: int) -> None:
        if credit and not self._closed:
            self._connection.acknowledge_received_data(credit, stream_id)

    def _widen_window(self, stream_id: int) -> None:
        if not self._closed:
            with _LATE:
                self._connection.set_local_window_size(UPLOAD_WINDOW, stream_id=stream_id)

    # -- output --------------------------------------------------------------------------------------------------------

    def _write_interim(self, stream_id: int, status: int, fields: Fields) -> None:
        with _LATE:
            self._connection.send_informational_response(stream_id, [(b":status", b"%d" % status), *fields])

    def _write_head(self, stream_id: int, head: ResponseHead, end: bool) -> None:
        with _LATE:
            self._connection.send_response(stream_id, self._headers(head), end_stream=end)
            if end:
                self._note_end(stream_id)
            elif self._streams[stream_id].priority is DEFAULT_PRIORITY:
                self._connection.set_stream_priority(stream_id, _TAKES_TURNS)

    def _write_body(self, stream_id: int, data: Buffer, end: bool) -> None:
        with _LATE:
            if len(data):
                self._connection.send_data(stream_id, data, end_stream=end)
            elif end:
                self._connection.end_stream(stream_id)
            if end:
                self._note_end(stream_id)

    def _write_trailers(self, stream_id: int, trailers: Fields) -> None:
        with _LATE:
            self._connection.send_trailers(stream_id, trailers)
            self._note_end(stream_id)

    def _write_whole(self, stream: Stream, head: ResponseHead, body: Buffer) -> None:
        """A small body needs no turn of its own."""
        if not body or len(body) > MAX_FRAME:
            super()._write_whole(stream, head, body)
            return
        stream.response_ended = True
        stream_id, connection = stream.stream_id, self._connection
        try:  # as with _LATE, which costs more
            connection.send_response(stream_id, self._headers(head))
            connection.send_data(stream_id, body, end_stream=True)
        except NGH2Error:
            return
        if not stream.request_ended:
            self._unread.add(stream_id)

    def _note_end(self, stream_id: int) -> None:
        if not self._streams[stream_id].request_ended:
            self._unread.add(stream_id)

    def _note_answers(self) -> bool:
        """Everything is out that can go. Whether that makes more output."""
        answered = [each for each in self._unread if not self.unsent(each)]
        for stream_id in answered:
            self._unread.discard(stream_id)
            if stream_id in self._streams:
                self._answer_is_out(self._streams[stream_id])
        return bool(answered)

    def _finish(self, stream_id: int) -> None:
        """The library has noticed, and says so with its next events."""

    def _headers(self, head: ResponseHead) -> tuple[Field, ...]:
        date = self._dates.current()
        known = head.serialised
        if known is None:
            known = head.serialised = {}
        made = known.get(_MEMO_KEY)
        if isinstance(made, _Dated) and made.date is date:
            return made.headers
        headers = _format_head(head)
        if head.field(b"date") is None:
            headers = (*headers, (b"date", date))
        known[_MEMO_KEY] = _Dated(date, headers)
        return headers

    def _write_reset(self, stream_id: int, code: int) -> None:
        if not self._closed:
            self._reset_known.add(stream_id)
            self._connection.reset_stream(stream_id, code)

    def _write_goaway(self, final: bool) -> None:
        if self._closed:
            return
        if final:
            self._connection.send_goaway()
        else:
            self._connection.send_shutdown_notice()

    def _write_failure(self, code: int) -> None:
        if not self._closed:
            self._connection.terminate_connection(code)
            self._ahead.append(self._connection.data_to_send())
            self._closed = True

    def data_to_send(self, budget: int) -> bytes:
        self._take(max(budget, _MIN_OUTPUT))
        if not self._ahead:
            return b""
        output = self._ahead[0] if len(self._ahead) == 1 else b"".join(self._ahead)
        self._ahead.clear()
        self._ahead_size = 0
        if self._crowded:
            self._look_for_room()
        return output

    def unsent(self, stream_id: int) -> int:
        return 0 if self._closed else self._connection.queued_body_size(stream_id)

    @property
    def _has_output(self) -> bool:
        return bool(self._ahead) or (not self._closed and self._connection.want_write)


def _format_head(head: ResponseHead) -> tuple[Field, ...]:
    headers = ((b":status", b"%d" % head.status), *head.fields)
    if announces_length(head):
        headers += ((b"content-length", b"%d" % (head.content_length or 0)),)
    return headers
