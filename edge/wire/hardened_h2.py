"""python-h2 as a reader of frames from peers that are not to be trusted: what both sides of edge have in common.

h2 keeps the state of streams, settings and windows, and answers SETTINGS and PING. Changed here: header blocks are decoded
before anything else can go wrong, so that HPACK stays in step; what concerns one stream ends that stream and not the
connection; what a peer announces is not stored for ever; a GOAWAY takes nothing away from exchanges in flight;
events of good frames survive a bad one behind them. Fields are not judged here but in `http2_request` and `http2_response`.

Messages do not pass through h2's sending side: the engines write HEADERS and DATA themselves and only take the windows from
here. `tests/wire/test_h2_pin.py` fails when an h2 release changes one of the private names used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import Event
from h2.exceptions import DenialOfServiceError, ProtocolError, StreamClosedError
from h2.settings import Settings
from h2.stream import StreamClosedBy
from hpack.exceptions import HPACKError, OversizedHeaderListError
from hyperframe.exceptions import HyperframeError
from hyperframe.frame import (
    AltSvcFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PriorityFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from edge.http.exchange import Buffer
from edge.http.limits import MAX_FRAME
from edge.http.message import Fields
from edge.wire.flood_budget import FloodBudget
from edge.wire.hpack_decoder import BlockDecoder
from edge.wire.hpack_encoder import StatelessEncoder
from edge.wire.http2_frames import format_rst_stream

DEFAULT_WINDOW: Final = 64 * 1024 - 1
"""Every connection's window at its beginning, whatever SETTINGS say (RFC 9113 §6.9.2)."""

_KNOWN_SETTINGS = frozenset(range(1, 10))

Answer: TypeAlias = tuple[list[Frame], list[Event]]
"""What h2's handlers return: frames to send, events to tell."""


class CompressionError(ProtocolError):
    """The header block cannot be decoded (RFC 9113 §4.3)."""

    error_code = ErrorCodes.COMPRESSION_ERROR


def configuration(*, client_side: bool) -> H2Configuration:
    """h2 reads and writes fields as they are: they are judged elsewhere, once."""
    return H2Configuration(
        client_side=client_side,
        header_encoding=None,
        validate_inbound_headers=False,
        normalize_inbound_headers=False,
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
    )


class HardenedConnection(H2Connection):
    """The receiving half of a connection. `failure` is the code of the error that ended it, or None.

    `settings` are ours; `window` is what all bodies of the peer may have in flight. Subclasses handle HEADERS and GOAWAY.
    """

    MAX_CLOSED_STREAMS = 512
    """How many streams are remembered to tell a late frame from a wrong one: five times what can be open."""

    decoder: BlockDecoder  # type: ignore[assignment]  # stands in for hpack's by its methods
    encoder: StatelessEncoder  # type: ignore[assignment]  # likewise

    def __init__(self, config: H2Configuration, settings: Settings, window: int, resets: FloodBudget) -> None:
        super().__init__(config)
        self.local_settings = settings  # in force at once; `update_settings` would wait for the peer
        self.max_inbound_frame_size = MAX_FRAME
        self.decoder = BlockDecoder()
        self.encoder = StatelessEncoder()
        self.failure: int | None = None
        self._resets = resets
        self._frame_dispatch_table |= {
            AltSvcFrame: _ignore,
            DataFrame: self._receive_data_frame,
            GoAwayFrame: self._receive_goaway_frame,
            HeadersFrame: self._receive_headers_frame,
            PriorityFrame: _ignore,
            SettingsFrame: self._receive_settings_frame,
        }
        self.initiate_connection()
        self.increment_flow_control_window(window - DEFAULT_WINDOW)

    def write(self, data: Buffer) -> None:
        """Put finished frames behind those that h2 has written."""
        self._data_to_send += data

    @property
    def queued(self) -> int:
        """Bytes that `data_to_send` would return."""
        return len(self._data_to_send)

    def window(self, stream_id: int) -> int:
        """Body bytes that may be sent on a stream now; can be negative (RFC 9113 §6.9.2)."""
        stream = self.streams.get(stream_id)
        return min(self.outbound_flow_control_window, stream.outbound_flow_control_window) if stream else 0

    def use_window(self, stream_id: int, size: int) -> None:
        """Body bytes are being sent."""
        self.outbound_flow_control_window -= size
        self.streams[stream_id].outbound_flow_control_window -= size

    def close_stream(self, stream_id: int, by_reset: bool) -> None:
        """A stream has ended by what we sent; h2 would keep it until it counts streams again."""
        if self.streams.pop(stream_id, None) is not None:
            closed_by = StreamClosedBy.SEND_RST_STREAM if by_reset else StreamClosedBy.SEND_END_STREAM
            self._closed_streams[stream_id] = closed_by

    def reset(self, stream_id: int, code: int) -> None:
        """RST_STREAM, if the stream is still there."""
        if stream_id in self.streams:
            self.write(format_rst_stream(stream_id, code))
            self.close_stream(stream_id, by_reset=True)

    def receive_data(self, data: bytes) -> list[Event]:  # type: ignore[override]  # bytes are enough here
        """The events of all frames up to the first bad one, which sets `failure`."""
        return list(self.read(data))

    def read(self, data: bytes) -> Iterator[Event]:
        """The same one by one: no frame is looked at before the events of the one before it have been taken."""
        try:
            self.incoming_buffer.add_data(data)
            self.incoming_buffer.max_frame_size = MAX_FRAME
            for frame in self.incoming_buffer:
                yield from self._receive_frame(frame)
        except ProtocolError as exc:
            self.failure = exc.error_code
        except HyperframeError:
            self.failure = ErrorCodes.PROTOCOL_ERROR

    def _receive_frame(self, frame: Frame) -> list[Event]:
        """Dispatch. A frame on a stream that is closed by a reset is answered with a reset again, from the budget."""
        try:
            answer: Answer = self._frame_dispatch_table[frame.__class__](frame)
        except StreamClosedError as exc:
            if not self._stream_is_closed_by_reset(exc.stream_id):
                raise
            if not exc._events:  # else this is the first reset, which the engine hears of and pays for
                self._pay_reset()
            self._reset_again(exc.stream_id, exc.error_code)
            return list(exc._events)
        self._prepare_for_sending(answer[0])
        return answer[1]

    def _reset_again(self, stream_id: int, code: int) -> None:
        self.streams.pop(stream_id, None)
        self._closed_streams[stream_id] = StreamClosedBy.SEND_RST_STREAM
        self.write(format_rst_stream(stream_id, code))

    def _pay_reset(self) -> None:
        if not self._resets.spend():
            raise DenialOfServiceError("reset flood")

    def _decode(self, block: bytes) -> Fields:
        try:
            return self.decoder.decode(block)
        except OversizedHeaderListError as exc:
            raise DenialOfServiceError("oversized header list") from exc
        except HPACKError as exc:
            raise CompressionError("broken header block") from exc

    def _receive_data_frame(self, frame: DataFrame) -> Answer:
        """Bytes for a stream that is gone count for the connection's window and are otherwise ignored (RFC 9113 §5.1)."""
        newest = max(self.highest_inbound_stream_id, self.highest_outbound_stream_id)
        if frame.stream_id in self.streams or frame.stream_id > newest:
            return super()._receive_data_frame(frame)
        return self._ignore_data(frame)

    def _ignore_data(self, frame: DataFrame) -> Answer:
        length = frame.flow_controlled_length
        self._inbound_flow_control_window_manager.window_consumed(length)
        increment = self._inbound_flow_control_window_manager.process_bytes(length)
        return ([WindowUpdateFrame(0, window_increment=increment)] if increment else []), []

    def _receive_settings_frame(self, frame: SettingsFrame) -> Answer:
        frame.settings = {code: value for code, value in frame.settings.items() if code in _KNOWN_SETTINGS}
        return super()._receive_settings_frame(frame)


def _ignore(_frame: Frame) -> Answer:
    return [], []
