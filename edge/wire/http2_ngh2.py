"""The fast HTTP/2 engine: libnghttp2 through the package ngh2, an optional extra.

The library checks requests itself and resets what it does not like; what it lets through meets the same validator as
everywhere. Some of its verdicts (body length, trailers) come only once output has been taken, so a little output is taken
ahead after each input. Unlike the reference engine it fills any window, however small: against single-byte windows stand the
control budget and the driver's deadlines.
"""

from __future__ import annotations

from typing import Final

from ngh2 import Configuration, Connection, ConnectionClosed, Event, NGH2Error, Role, Setting, StreamClosed, StreamReset
from ngh2 import DataReceived as DataArrived
from ngh2 import GoAwayReceived as GoAwayArrived
from ngh2 import RequestReceived as HeadArrived
from ngh2 import TrailersReceived as TrailersArrived

from edge.http.dates import DateCache
from edge.http.exchange import Buffer
from edge.http.limits import (
    CONNECTION_WINDOW,
    CONTROL_BURST,
    CONTROL_RATE,
    HEAD_TOLERANCE,
    MAX_CONTINUATIONS,
    MAX_CONTROL_OUTPUT,
    MAX_FIELDS,
    MAX_HEAD,
    MAX_SETTINGS,
    MAX_STREAMS,
    RESET_BURST,
    RESET_RATE,
    STREAM_WINDOW,
)
from edge.http.message import Field, Fields, ResponseHead
from edge.wire.hpack_encoder import announces_length
from edge.wire.http2_engine import Http2Engine
from edge.wire.http2_frames import ErrorCode

_CONFIGURATION: Final = Configuration(
    auto_window_update=False,
    max_continuations=MAX_CONTINUATIONS,
    max_settings=MAX_SETTINGS,
    stream_reset_rate_limit=(RESET_BURST, RESET_RATE),
    glitch_rate_limit=(CONTROL_BURST, CONTROL_RATE),
    # Beyond these the library ends the connection; up to here our validator can answer 431 on the stream.
    max_inbound_header_count=MAX_FIELDS * HEAD_TOLERANCE,
    max_inbound_header_list_size=MAX_HEAD * HEAD_TOLERANCE,
)

_SETTINGS: Final = {
    Setting.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
    Setting.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
    Setting.MAX_HEADER_LIST_SIZE: MAX_HEAD,
    Setting.NO_RFC7540_PRIORITIES: 1,
}

_AHEAD: Final = 4 * 1024
"""Output taken after an input: room for the resets that carry late verdicts, which the library sends before bodies."""

_MIN_OUTPUT: Final = 1024
"""Output taken even when the driver's budget for bodies is spent: answers to pings and settings go first."""


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
        broken = False
        try:
            self._connection.receive_data(data)
        except NGH2Error:
            broken = self._closed = True
        self._handle_events()
        if broken:
            self._fail(ErrorCode.ENHANCE_YOUR_CALM, "http2-protocol")
        else:
            self._take_ahead()

    def _take_ahead(self) -> None:
        if self._ahead_size <= MAX_CONTROL_OUTPUT:
            self._keep(self._take(_AHEAD))

    def _take(self, amount: int) -> bytes:
        """Output of the library, and the events that come with it."""
        if self._closed:
            return b""
        try:
            output = self._connection.data_to_send(amount)
        except NGH2Error:
            self._closed = True
            output = b""
        self._watch.bytes_sent(len(output))
        if len(output) < amount and self._unread:
            self._stop_uploads()
        self._handle_events()
        return output

    def _keep(self, output: bytes) -> None:
        if output:
            self._ahead.append(output)
            self._ahead_size += len(output)

    def _handle_events(self) -> None:
        for event in self._connection.events():
            self._handle(event)

    def _handle(self, event: Event) -> None:
        if isinstance(event, HeadArrived):
            self._head_arrived(event.stream_id, event.headers, event.end_stream)
        elif isinstance(event, DataArrived):
            self._data_arrived(event.stream_id, event.data, len(event.data), event.end_stream)
        elif isinstance(event, TrailersArrived):
            self._trailers_arrived(event.stream_id, event.headers)
        elif isinstance(event, StreamReset):
            if event.stream_id in self._streams:
                self._reset_known.add(event.stream_id)
                self._reset_arrived(event.stream_id, "client-reset")
        elif isinstance(event, StreamClosed):
            self._stream_closed(event.stream_id, event.error_code)
        elif isinstance(event, GoAwayArrived):
            self._peer_leaves = True
        elif isinstance(event, ConnectionClosed):
            self._connection_closed(event.error_code)

    def _stream_closed(self, stream_id: int, code: int) -> None:
        """Both sides have ended, or the library did not like the request: often only now, after its head was passed on."""
        self._unread.discard(stream_id)
        if stream_id in self._reset_known:
            self._reset_known.discard(stream_id)
        elif not code:
            self._forget(stream_id)
        else:
            self._reset_arrived(stream_id, "stream-error")
            if not self._watch.resets.spend():
                self._fail(ErrorCode.ENHANCE_YOUR_CALM, "reset-flood")

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

    # -- output --------------------------------------------------------------------------------------------------------

    def _write_interim(self, stream_id: int, status: int, fields: Fields) -> None:
        self._connection.send_informational_response(stream_id, [(b":status", b"%d" % status), *fields])

    def _write_head(self, stream_id: int, head: ResponseHead, end: bool) -> None:
        self._connection.send_response(stream_id, self._headers(head), end_stream=end)
        if end:
            self._note_end(stream_id)

    def _write_body(self, stream_id: int, data: Buffer, end: bool) -> None:
        if len(data):
            self._connection.send_data(stream_id, data, end_stream=end)
        elif end:
            self._connection.end_stream(stream_id)
        if end:
            self._note_end(stream_id)

    def _note_end(self, stream_id: int) -> None:
        if not self._streams[stream_id].request_ended:
            self._unread.add(stream_id)

    def _stop_uploads(self) -> None:
        """Everything is out that can go: an upload whose answer is complete is told to stop (RFC 9113 §8.1)."""
        for stream_id in [each for each in self._unread if not self.unsent(each)]:
            self._unread.discard(stream_id)
            if stream_id in self._streams:
                self._write_reset(stream_id, ErrorCode.NO_ERROR)
                self._forget(stream_id)

    def _headers(self, head: ResponseHead) -> tuple[Field, ...]:
        known = head.serialised
        if known is None:
            known = head.serialised = {}
        headers = known.get("ngh2")
        if headers is None:
            headers = known["ngh2"] = _format_head(head)
            known["dated"] = head.field(b"date") is not None
        assert isinstance(headers, tuple)
        return headers if known.get("dated") else (*headers, (b"date", self._dates.current()))

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
            self._keep(self._connection.data_to_send())
            self._closed = True

    def data_to_send(self, budget: int) -> bytes:
        output = b"".join((*self._ahead, self._take(max(budget, _MIN_OUTPUT))))
        self._ahead.clear()
        self._ahead_size = 0
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
