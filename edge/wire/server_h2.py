"""python-h2 as the server of visitors' connections: requests are bounded in number, refused ones cost the client's budget."""

from __future__ import annotations

from typing import Final

from h2.connection import AllowedStreamIDs, ConnectionInputs
from h2.errors import ErrorCodes
from h2.events import Event, RequestReceived, StreamEnded, StreamReset, TrailersReceived
from h2.exceptions import StreamClosedError
from h2.settings import SettingCodes, Settings
from h2.stream import H2Stream, StreamInputs
from hyperframe.frame import GoAwayFrame, HeadersFrame

from edge.http.limits import CONNECTION_WINDOW, MAX_HEAD, MAX_STREAMS, STREAM_WINDOW
from edge.http.message import Fields
from edge.wire.flood_budget import FloodBudget
from edge.wire.hardened_h2 import Answer, HardenedConnection, configuration

_CONFIGURATION: Final = configuration(client_side=False)
_NO_RFC7540_PRIORITIES: Final = 9


class ServerConnection(HardenedConnection):
    """The receiving half of a connection that a visitor has opened."""

    def __init__(self, resets: FloodBudget) -> None:
        super().__init__(_CONFIGURATION, _local_settings(), CONNECTION_WINDOW, resets)
        self.peer_leaves = False
        self.refuses_streams = False

    def _receive_headers_frame(self, frame: HeadersFrame) -> Answer:
        headers = self._decode(frame.data)
        ended = "END_STREAM" in frame.flags
        stream = self.streams.get(frame.stream_id)
        if stream is not None:
            return self._receive_trailers(stream, headers, ended)
        if frame.stream_id <= self.highest_inbound_stream_id:
            raise StreamClosedError(frame.stream_id)
        self.state_machine.process_input(ConnectionInputs.RECV_HEADERS)
        stream = self._begin_new_stream(frame.stream_id, AllowedStreamIDs.ODD)
        if self.refuses_streams or len(self.streams) > MAX_STREAMS:
            self._pay_reset()
            self.reset(frame.stream_id, ErrorCodes.REFUSED_STREAM)
            return [], []
        return [], _open_stream(stream, headers, ended)

    def _receive_trailers(self, stream: H2Stream, headers: Fields, ended: bool) -> Answer:
        stream.state_machine.process_input(StreamInputs.RECV_HEADERS)  # raises where the request has ended before
        if not ended:
            self.reset(stream.stream_id, ErrorCodes.PROTOCOL_ERROR)
            return [], [
                StreamReset(stream_id=stream.stream_id, error_code=ErrorCodes.PROTOCOL_ERROR, remote_reset=False)
            ]
        stream.state_machine.process_input(StreamInputs.RECV_END_STREAM)
        return [], [TrailersReceived(stream_id=stream.stream_id, headers=list(headers))]

    def _receive_goaway_frame(self, _frame: GoAwayFrame) -> Answer:
        self.peer_leaves = True
        return [], []


def _local_settings() -> Settings:
    values: dict[SettingCodes | int, int] = {
        SettingCodes.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
        SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
        SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEAD,
        SettingCodes.ENABLE_CONNECT_PROTOCOL: 1,
        _NO_RFC7540_PRIORITIES: 1,
    }
    return Settings(client=False, initial_values=values)  # type: ignore[arg-type]  # codes may be plain integers


def _open_stream(stream: H2Stream, headers: Fields, ended: bool) -> list[Event]:
    stream.state_machine.process_input(StreamInputs.RECV_HEADERS)
    event = RequestReceived(stream_id=stream.stream_id, headers=headers)  # type: ignore[arg-type]  # a tuple serves as well
    if ended:
        stream.state_machine.process_input(StreamInputs.RECV_END_STREAM)
        event.stream_ended = StreamEnded(stream_id=stream.stream_id)
    return [event]
