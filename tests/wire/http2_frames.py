"""HTTP/2 frames made by hand, right and wrong, and a reader of what an engine answers. Knows nothing of the code under test."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
PRIORITY_UPDATE = 0x10
END_STREAM, END_HEADERS, PADDED = 0x1, 0x4, 0x8

PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR = 0x1, 0x2, 0x3, 0x5, 0x6
REFUSED_STREAM, COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 0x7, 0x9, 0xB

GET = ((b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"a.test"), (b":path", b"/"))
POST = ((b":method", b"POST"), *GET[1:])

Headers = Iterable[tuple[bytes, bytes]]


class Frame(NamedTuple):
    """One frame as seen on the wire."""

    kind: int
    flags: int
    stream_id: int
    payload: bytes

    @property
    def code(self) -> int:
        """The error code of RST_STREAM or GOAWAY."""
        offset = 4 if self.kind == GOAWAY else 0
        return int.from_bytes(self.payload[offset : offset + 4])

    @property
    def number(self) -> int:
        """The first 32 bits of the payload."""
        return int.from_bytes(self.payload[:4])


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"", length: int | None = None) -> bytes:
    """Any frame; `length` lies about the payload's."""
    size = len(payload) if length is None else length
    return struct.pack(">HBBBL", size >> 8, size & 0xFF, kind, flags, stream_id) + payload


def settings(values: dict[int, int] | None = None) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HL", *item) for item in (values or {}).items()))


def opening(values: dict[int, int] | None = None) -> bytes:
    """What a client begins with."""
    return PREFACE + settings(values)


def block(headers: Headers) -> bytes:
    """A header block of literals that touch no table."""
    parts = []
    for name, value in headers:
        parts += [b"\x00", _string(name), _string(value)]
    return b"".join(parts)


def _string(text: bytes) -> bytes:
    size, octets = len(text), bytearray()
    if size < 127:
        return bytes((size,)) + text
    octets.append(127)
    size -= 127
    while size >= 128:
        octets.append(size & 127 | 128)
        size >>= 7
    octets.append(size)
    return bytes(octets) + text


def headers(stream_id: int, fields: Headers = GET, end: bool = True) -> bytes:
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream_id, block(fields))


def data(stream_id: int, body: bytes, end: bool = False) -> bytes:
    return frame(DATA, END_STREAM if end else 0, stream_id, body)


def rst_stream(stream_id: int, code: int = 8) -> bytes:
    return frame(RST_STREAM, 0, stream_id, struct.pack(">L", code))


def window_update(stream_id: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream_id, struct.pack(">L", increment))


def goaway(last_stream_id: int = 0, code: int = 0) -> bytes:
    return frame(GOAWAY, 0, 0, struct.pack(">LL", last_stream_id, code))


def ping(payload: bytes = b"12345678") -> bytes:
    return frame(PING, 0, 0, payload)


class FrameReader:
    """Splits an engine's output into frames and decodes its header blocks."""

    def __init__(self) -> None:
        self._pending = b""
        self._decoder = hpack.Decoder()

    def read(self, output: bytes) -> list[Frame]:
        self._pending += output
        frames = []
        while len(self._pending) >= 9:
            high, low, kind, flags, stream_id = struct.unpack_from(">HBBBL", self._pending)
            end = 9 + (high << 8 | low)
            if len(self._pending) < end:
                break
            frames.append(Frame(kind, flags, stream_id, self._pending[9:end]))
            self._pending = self._pending[end:]
        return frames

    def fields(self, head: Frame) -> dict[bytes, bytes]:
        """The fields of a HEADERS frame; call once per frame and in order."""
        return dict(self.lines(head))

    def lines(self, head: Frame) -> list[tuple[bytes, bytes]]:
        """The same in their order, repeated names kept."""
        return [(bytes(name), bytes(value)) for name, value in self._decoder.decode(head.payload, raw=True)]
