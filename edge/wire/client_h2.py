"""python-h2 as the client of an origin: it opens streams, reads what comes on them, and gives flow-control credit.

What a header block means (an interim head, the final one, trailers) is for the engine to say; here it only has a stream. Credit
for the connection goes back as soon as bytes are here, credit for a stream when somebody has taken them: so one response that
nobody takes does not hold up the others.
"""

from __future__ import annotations

from typing import Final

from h2.connection import AllowedStreamIDs, ConnectionInputs
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from h2.stream import StreamInputs
from hyperframe.frame import DataFrame, GoAwayFrame, HeadersFrame

from edge.http.limits import MAX_RESPONSE_HEAD, ORIGIN_CONNECTION_WINDOW, ORIGIN_STREAM_WINDOW
from edge.wire.flood_budget import FloodBudget
from edge.wire.hardened_h2 import Answer, HardenedConnection, configuration
from edge.wire.http2_frames import format_window_update

_CONFIGURATION: Final = configuration(client_side=True)


class ClientConnection(HardenedConnection):
    """The receiving half of a connection that edge has opened to an origin."""

    def __init__(self, resets: FloodBudget) -> None:
        super().__init__(_CONFIGURATION, _local_settings(), ORIGIN_CONNECTION_WINDOW, resets)

    def open_stream(self) -> int:
        """The id of a new stream, whose HEADERS the caller must write next."""
        stream_id = self.get_next_available_stream_id()
        self.state_machine.process_input(ConnectionInputs.SEND_HEADERS)
        stream = self._begin_new_stream(stream_id, AllowedStreamIDs.ODD)
        stream.state_machine.process_input(StreamInputs.SEND_HEADERS)
        return stream_id

    def final_head_received(self, stream_id: int) -> None:
        """The engine has recognised a final head: a body may follow."""
        self.streams[stream_id].state_machine.process_input(StreamInputs.RECV_HEADERS)

    def give_credit(self, stream_id: int, size: int) -> None:
        """So many bytes of a response have been taken."""
        stream = self.streams.get(stream_id)
        if stream is not None:
            self._prepare_for_sending(stream.acknowledge_received_data(size))

    def _receive_headers_frame(self, frame: HeadersFrame) -> Answer:
        headers = self._decode(frame.data)
        stream_id = frame.stream_id
        if stream_id not in self.streams:
            if stream_id % 2 == 0 or stream_id > self.highest_outbound_stream_id:
                raise ProtocolError("a head on a stream that was never opened")
            self._pay_reset()  # crosses a reset of ours, or is an attack
            return [], []
        event = ResponseReceived(stream_id=stream_id, headers=headers)  # type: ignore[arg-type]  # a tuple serves as well
        if "END_STREAM" in frame.flags:
            event.stream_ended = StreamEnded(stream_id=stream_id)
        return [], [event]

    def _receive_data_frame(self, frame: DataFrame) -> Answer:
        stream = self.streams.get(frame.stream_id)
        if stream is not None and not stream.state_machine.headers_received:
            self.reset(frame.stream_id, ErrorCodes.PROTOCOL_ERROR)
            event = StreamReset(stream_id=frame.stream_id, error_code=ErrorCodes.PROTOCOL_ERROR, remote_reset=False)
            return self._ignore_data(frame)[0], [event]
        answer = super()._receive_data_frame(frame)
        if stream is not None:
            increment = self._inbound_flow_control_window_manager.process_bytes(frame.flow_controlled_length)
            if increment:
                self.write(format_window_update(0, increment))
        return answer

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> Answer:
        event = ConnectionTerminated()
        event.last_stream_id = frame.last_stream_id
        return [], [event]


def _local_settings() -> Settings:
    values: dict[SettingCodes | int, int] = {
        SettingCodes.ENABLE_PUSH: 0,
        SettingCodes.INITIAL_WINDOW_SIZE: ORIGIN_STREAM_WINDOW,
        SettingCodes.MAX_HEADER_LIST_SIZE: MAX_RESPONSE_HEAD,
    }
    return Settings(client=True, initial_values=values)  # type: ignore[arg-type]  # codes may be plain integers
