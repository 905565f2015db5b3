"""HTTP/2 frames as bytes: names for the numbers of RFC 9113 §6, §7 and §11, and the few frames that edge writes itself."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct as _Packing
from typing import Final

from edge.http.limits import MAX_FRAME

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client sends before its first frame (RFC 9113 §3.4)."""

HEADER_SIZE: Final = 9

DATA: Final = 0x0
HEADERS: Final = 0x1
RST_STREAM: Final = 0x3
SETTINGS: Final = 0x4
PUSH_PROMISE: Final = 0x5
PING: Final = 0x6
GOAWAY: Final = 0x7
WINDOW_UPDATE: Final = 0x8
CONTINUATION: Final = 0x9
PRIORITY_UPDATE: Final = 0x10

ACK: Final = 0x1
END_STREAM: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8

MAX_STREAM_ID: Final = 2**31 - 1
"""In a GOAWAY: nothing is refused yet, but open no new stream (RFC 9113 §6.8)."""


class ErrorCode(IntEnum):
    """The codes of RFC 9113 §7 that edge sends by itself."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    ENHANCE_YOUR_CALM = 0xB


_HEADER: Final = _Packing(">HBBBL")
_GOAWAY: Final = _Packing(">HBBBLLL")
_RST_STREAM: Final = _Packing(">HBBBLL")
_WINDOW_UPDATE: Final = _RST_STREAM


def parse_header(data: bytes, position: int) -> tuple[int, int, int, int]:
    """Length, type, flags and stream id of the frame that begins at `position`; at least 9 bytes must be there."""
    high, low, kind, flags, stream_id = _HEADER.unpack_from(data, position)
    return high << 8 | low, kind, flags, stream_id & MAX_STREAM_ID


def format_header(length: int, kind: int, flags: int, stream_id: int) -> bytes:
    """The 9 bytes before a frame's payload (RFC 9113 §4.1)."""
    return _HEADER.pack(length >> 8, length & 0xFF, kind, flags, stream_id)


def format_rst_stream(stream_id: int, code: int) -> bytes:
    """RFC 9113 §6.4."""
    return _RST_STREAM.pack(0, 4, RST_STREAM, 0, stream_id, code)


def format_ping(payload: bytes) -> bytes:
    """RFC 9113 §6.7; the payload has 8 bytes."""
    return format_header(8, PING, 0, 0) + payload


def format_window_update(stream_id: int, increment: int) -> bytes:
    """RFC 9113 §6.9."""
    return _WINDOW_UPDATE.pack(0, 4, WINDOW_UPDATE, 0, stream_id, increment)


def format_goaway(last_stream_id: int, code: int) -> bytes:
    """RFC 9113 §6.8, without debug data: what went wrong stays in our log."""
    return _GOAWAY.pack(0, 8, GOAWAY, 0, 0, last_stream_id, code)


def format_headers(stream_id: int, block: bytes, end_stream: bool) -> bytes:
    """A header block as one HEADERS frame and as many CONTINUATION frames as it needs (RFC 9113 §6.2, §6.10)."""
    end = END_STREAM if end_stream else 0
    if len(block) <= MAX_FRAME:
        return format_header(len(block), HEADERS, END_HEADERS | end, stream_id) + block
    parts = [format_header(MAX_FRAME, HEADERS, end, stream_id), block[:MAX_FRAME]]
    for start in range(MAX_FRAME, len(block), MAX_FRAME):
        piece = block[start : start + MAX_FRAME]
        flags = END_HEADERS if start + MAX_FRAME >= len(block) else 0
        parts += (format_header(len(piece), CONTINUATION, flags, stream_id), piece)
    return b"".join(parts)
