"""Stands before an HTTP/2 engine and reads nothing but frame headers.

Most attacks on HTTP/2 need no understanding of HTTP to be seen: too long a frame, a header block that never ends, floods of
frames that cost the sender nothing. They are refused here, before the engine buffers or decodes a byte, by the same rules for
every engine. `docs/design/http2.md` has the table of attacks and limits.
"""

from __future__ import annotations

from typing import Final

from edge.http.limits import (
    BYTES_PER_CONTROL,
    CONTROL_PER_HEAD,
    CONTROL_PER_PIECE,
    MAX_CONTINUATIONS,
    MAX_EMPTY_DATA,
    MAX_FRAME,
    MAX_HEADER_BLOCK,
    MAX_SETTINGS,
)
from edge.wire.flood_budget import control_budget, reset_budget
from edge.wire.http2_frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADER_SIZE,
    HEADERS,
    PADDED,
    PREFACE,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    ErrorCode,
    parse_header,
)

_SETTING_SIZE: Final = 6
_MAX_PADDING: Final = 256
"""Pad length octet and padding: a padded frame no longer than this may carry nothing."""


class Violation(Exception):  # named after the situation, as the error tree is
    """The connection must end with this code; `reason` is a constant word for logs and counters."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class FrameWatch:
    """The frames of one connection's input, counted.

    `from_client`: a preface comes before them. `resets` is public: the engine pays from it for streams that it resets itself
    because of what the peer did.
    """

    __slots__ = (
        "_accepted",
        "_begun",
        "_block_size",
        "_block_stream",
        "_continuations",
        "_control",
        "_empty_data",
        "_in_head",
        "_partial",
        "_payload_left",
        "_settled",
        "resets",
        "violation",
    )

    def __init__(self, *, from_client: bool = True) -> None:
        self.resets = reset_budget()
        self.violation: Violation | None = None
        self._control = control_budget()
        self._accepted = 0  # bytes of the present input up to the end of the last frame that passed
        self._begun = not from_client  # the preface is complete
        self._settled = False  # the peer's first frame has begun, and it is SETTINGS
        self._partial = b""  # the beginning of a preface or frame header whose rest has not arrived
        self._payload_left = 0  # of the last frame
        self._in_head = False  # the last frame is part of a header block
        self._block_stream = 0  # whose header block is open; 0: none
        self._block_size = 0
        self._continuations = 0
        self._empty_data = 0

    @property
    def head_in_progress(self) -> bool:
        """Whether the connection preface or a request head has begun and not ended."""
        return bool(self._block_stream or (self._in_head and self._payload_left)) or not self._settled

    def bytes_sent(self, count: int) -> None:
        """So many bytes went to the peer, which must open windows for them."""
        self._control.give(count / BYTES_PER_CONTROL)

    def piece_sent(self) -> None:
        """Part of a body went to the peer, which may measure how long it takes."""
        self._control.give(CONTROL_PER_PIECE)

    def observe(self, data: bytes, now: float) -> int:
        """How many bytes of `data` the engine may have; `now` in monotonic seconds.

        Fewer than all: `violation` says why the connection must end after them.
        """
        self.resets.now = self._control.now = now
        carried = len(self._partial)
        if carried:
            data, self._partial = self._partial + data, b""
        self._accepted = self._payload_left
        try:
            position = self._check_frames(data) if self._begun or self._check_preface(data) else 0
        except Violation as violation:
            self.violation = violation
            return max(0, self._accepted - carried)
        self._partial = data[position:]
        self._payload_left = max(0, position - len(data))
        return len(data) - carried

    def _check_preface(self, data: bytes) -> bool:
        """Whether it is complete (RFC 9113 §3.4)."""
        if not data.startswith(PREFACE[: len(data)]):
            raise Violation(ErrorCode.PROTOCOL_ERROR, "http2-preface")
        self._begun = len(data) >= len(PREFACE)
        self._accepted = len(PREFACE)
        return self._begun

    def _check_frames(self, data: bytes) -> int:
        """Where the first frame begins whose header is not complete; may lie behind the end of `data`."""
        position = self._accepted
        last = len(data) - HEADER_SIZE
        while position <= last:
            length, kind, flags, stream_id = parse_header(data, position)
            if (
                kind == HEADERS
                and flags & END_HEADERS
                and self._settled
                and not self._block_stream
                and length <= MAX_FRAME
            ):
                self._in_head = True  # what most input is: one whole head
                self._control.give(CONTROL_PER_HEAD)
            else:
                self._check_frame(length, kind, flags, stream_id)
            position += HEADER_SIZE + length
            self._accepted = position
        return position

    def _check_frame(self, length: int, kind: int, flags: int, stream_id: int) -> None:
        if length > MAX_FRAME:
            raise Violation(ErrorCode.FRAME_SIZE_ERROR, "frame-too-large")
        if self._block_stream and (kind != CONTINUATION or stream_id != self._block_stream):
            raise Violation(ErrorCode.PROTOCOL_ERROR, "header-block-interrupted")
        if not self._settled:
            self._check_first_frame(kind, flags)
        self._in_head = False
        if kind == HEADERS:
            self._begin_block(length, flags, stream_id)
        elif kind == DATA:
            self._check_data(length, flags)
        elif kind == CONTINUATION:
            self._continue_block(length, flags)
        else:
            self._check_control(length, kind)

    def _check_first_frame(self, kind: int, flags: int) -> None:
        """RFC 9113 §3.4: the first frame of either side is SETTINGS."""
        if kind != SETTINGS or flags & ACK:
            raise Violation(ErrorCode.PROTOCOL_ERROR, "settings-missing")
        self._settled = True

    def _begin_block(self, length: int, flags: int, stream_id: int) -> None:
        self._in_head = True
        self._control.give(CONTROL_PER_HEAD)
        if not flags & END_HEADERS:
            self._block_stream, self._block_size, self._continuations = stream_id, length, 0

    def _continue_block(self, length: int, flags: int) -> None:
        if not self._block_stream:
            raise Violation(ErrorCode.PROTOCOL_ERROR, "continuation-without-headers")
        self._in_head = True
        self._continuations += 1
        self._block_size += length
        if self._continuations > MAX_CONTINUATIONS or self._block_size > MAX_HEADER_BLOCK:
            raise Violation(ErrorCode.ENHANCE_YOUR_CALM, "continuation-flood")
        if flags & END_HEADERS:
            self._block_stream = 0

    def _check_data(self, length: int, flags: int) -> None:
        if length > _MAX_PADDING or flags & END_STREAM:
            self._empty_data = 0
        elif not length:
            self._empty_data += 1
            if self._empty_data > MAX_EMPTY_DATA:
                raise Violation(ErrorCode.ENHANCE_YOUR_CALM, "empty-data-flood")
        else:
            self._empty_data = 0
            if flags & PADDED:
                self._spend_control("padding-flood")

    def _check_control(self, length: int, kind: int) -> None:
        if kind == RST_STREAM:
            if not self.resets.spend():
                raise Violation(ErrorCode.ENHANCE_YOUR_CALM, "reset-flood")
            return
        if kind == PUSH_PROMISE:
            raise Violation(ErrorCode.PROTOCOL_ERROR, "push")  # no client may, and our own connections say so
        if kind == SETTINGS and length > MAX_SETTINGS * _SETTING_SIZE:
            raise Violation(ErrorCode.ENHANCE_YOUR_CALM, "settings-too-many")
        self._spend_control("control-flood")

    def _spend_control(self, reason: str) -> None:
        if not self._control.spend():
            raise Violation(ErrorCode.ENHANCE_YOUR_CALM, reason)
