"""Chunked bodies (RFC 9112 §7.1), decoded by llhttp without ever showing it a byte of the next message.

llhttp does not tell where in its input a message ended, and would parse what follows as another one. But a chunked message
can only end directly behind CRLF CRLF. So the input is fed in pieces that end there, and after each piece the decoder knows
whether the message is over. Chunk extensions are checked by llhttp and dropped. So are trailer fields, unless somebody wants
them: otherwise the decoder does not even listen to them.
"""

from __future__ import annotations

from typing import Final

import httptools

from edge.errors import EdgeError
from edge.http.limits import MAX_CHUNK_OVERHEAD
from edge.http.message import Field

_HEAD: Final = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
"""Brings a fresh parser to the first byte of a chunked body. One field line."""

_END: Final = b"\r\n\r\n"

_OVERHEAD_PER_BYTE: Final = 10
"""Chunks of one byte need five more; ten leave room for short extensions."""


class BrokenChunks(EdgeError):
    """The body breaks the grammar or is mostly overhead; nothing behind it can be trusted. `reason` is a constant word."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"broken chunked body: {reason}")
        self.reason = reason


class _Body:
    """What llhttp calls back: body bytes and the end."""

    __slots__ = ("ended", "length", "pieces")

    # httptools asks for every callback by name; an attribute that is None is found faster than one that is missing.
    on_message_begin: None = None
    on_url: None = None
    on_status: None = None
    on_headers_complete: None = None
    on_chunk_header: None = None
    on_chunk_complete: None = None

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.length = 0
        self.ended = False

    def on_body(self, data: bytes) -> None:
        self.pieces.append(data)
        self.length += len(data)

    def on_message_complete(self) -> None:
        self.ended = True


class _BodyWithTrailers(_Body):
    """Listens to field lines too. Their number is bounded: they count as overhead."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Field] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.lines.append((name, value))


class ChunkedDecoder:
    """Decodes one body. Feed it until `ended`, and take the decoded bytes after each call, a failed one included.

    `keeps_trailers`: `trailer_lines` then has the field lines behind the body, as sent and not judged by anyone.
    """

    __slots__ = ("_body", "_fed", "_last", "_parser")

    def __init__(self, *, keeps_trailers: bool = False) -> None:
        self._body = _BodyWithTrailers() if keeps_trailers else _Body()
        self._parser = httptools.HttpRequestParser(self._body)
        self._parser.feed_data(_HEAD)
        self._fed = 0
        self._last = b""

    @property
    def ended(self) -> bool:
        """Whether the body, trailers included, is complete."""
        return self._body.ended

    @property
    def trailer_lines(self) -> list[Field]:
        """Complete once `ended`."""
        return self._body.lines[1:] if isinstance(self._body, _BodyWithTrailers) else []  # the first is our own

    def feed(self, data: bytes) -> int:
        """Decode `data` up to the end of the body at most; returns how many bytes belonged to it.

        Raises: BrokenChunks. The share of overhead is judged once a piece, so it may be noticed one read late.
        """
        view, position = memoryview(data), 0
        while position < len(data) and not self._body.ended:
            cut = self._next_cut(data, position)
            self._feed_piece(view[position:cut])
            position = cut
        self._last = (self._last + data[-3:])[-3:]
        return position

    def take(self) -> bytes:
        """The decoded bytes since the last call."""
        pieces, self._body.pieces = self._body.pieces, []
        return b"".join(pieces)

    def _next_cut(self, data: bytes, position: int) -> int:
        """Where the next piece ends: behind the first CRLF CRLF that ends after `position`, begun in earlier data or not."""
        if position == 0 and self._last:
            found = (self._last + data[:3]).find(_END)
            if found >= 0:
                return found + len(_END) - len(self._last)
        found = data.find(_END, max(position - 3, 0))
        return found + len(_END) if found >= 0 else len(data)

    def _feed_piece(self, piece: memoryview) -> None:
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserError as exc:
            raise BrokenChunks("chunk-syntax") from exc
        self._fed += len(piece)
        overhead = self._fed - self._body.length
        if overhead > MAX_CHUNK_OVERHEAD + _OVERHEAD_PER_BYTE * self._body.length:
            raise BrokenChunks("chunk-overhead")
