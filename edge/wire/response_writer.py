"""The writing half of the HTTP/1.1 engine: response heads and bodies in, bytes out (RFC 9112 §6, §7.1).

One response at a time. The framing follows from the head and the request: no body (HEAD, 204, 304), a counted one, chunks,
or, for HTTP/1.0 clients and an unknown length, whatever comes until the connection closes.
"""

from __future__ import annotations

from typing import Final

from edge.http.dates import DateCache
from edge.http.exchange import Buffer
from edge.http.message import Fields, ResponseHead, is_bodiless
from edge.wire.response_format import format_fields, format_interim, head_lines

_GO_ON: Final = b""
_CLOSE: Final = b"connection: close\r\n"
_KEEP_ALIVE: Final = b"connection: keep-alive\r\n"
"""What HTTP/1.0 clients need to hear; HTTP/1.1 clients take it for granted."""

_CHUNKED: Final = b"transfer-encoding: chunked\r\n"
_LAST_CHUNK: Final = b"0\r\n\r\n"
_END_OF_HEAD: Final = b"\r\n\r\n"


_NO_BODY: Final = "none"
_COUNTED: Final = "counted"
_CHUNKS: Final = "chunks"
_UNTIL_CLOSE: Final = "until close"
"""How the body being written ends."""


class ResponseWriter:
    """Makes the bytes of one connection's responses."""

    __slots__ = ("_body", "_dates", "_left", "_out", "streamed")

    def __init__(self, dates: DateCache) -> None:
        self._dates = dates
        self._out: list[Buffer] = []
        self._body: str = _NO_BODY
        self._left = 0
        self.streamed = 0
        """Bytes given to `write_body` that have not been taken."""

    @property
    def has_output(self) -> bool:
        """Whether `take` would return anything."""
        return bool(self._out)

    def take(self) -> bytes:
        """Everything written since the last call."""
        if not self._out:
            return b""
        out = b"".join(self._out)
        self._out.clear()
        self.streamed = 0
        return out

    def drop(self) -> None:
        """Forget what has not been taken."""
        self._out.clear()

    def write_interim(self, status: int, fields: Fields) -> None:
        """Append a 1xx head."""
        self._out.append(format_interim(status, fields))

    def write_response(self, head: ResponseHead, body: Buffer, method: bytes, connection: bytes) -> bool:
        """Append a whole response; False, and nothing appended, when `body` has not the announced length."""
        made = head_lines(head)
        end = _END_OF_HEAD
        if is_bodiless(method, head.status):
            framing = _length_of(body) if head.content_length is None and method == b"HEAD" and body else b""
            body = b""
        elif head.content_length is None:
            framing = _length_of(body)
        elif head.content_length == len(body):
            framing = b""
        else:
            return False
        if framing or connection:
            end = b"\r\n" + framing + connection + b"\r\n"
        self._out.append(b"".join((made.lines, made.date or self._dates.current(), end, body)))
        return True

    def write_head(self, head: ResponseHead, method: bytes, version: bytes, connection: bytes) -> None:
        """Append a head whose body follows through `write_body`."""
        framing = b""
        if is_bodiless(method, head.status):
            self._body = _NO_BODY
        elif head.content_length is not None:
            self._body, self._left = _COUNTED, head.content_length
        elif version == b"1.1":
            self._body, framing = _CHUNKS, _CHUNKED
        else:
            self._body = _UNTIL_CLOSE
        made = head_lines(head)
        self._out.append(
            b"".join((made.lines, made.date or self._dates.current(), b"\r\n", framing, connection, b"\r\n"))
        )

    def write_switch(self, fields: Fields) -> None:
        """Append a 101; what `write_body` is given then leaves as it is."""
        self._body = _UNTIL_CLOSE
        self._out.append(format_interim(101, fields))

    def write_body(self, data: Buffer, end: bool) -> bool:
        """Append body bytes; False, and nothing appended, when they are more or, at the end, fewer than announced."""
        self.streamed += len(data)
        if self._body == _COUNTED:
            left = self._left - len(data)
            if left < 0 or (end and left):
                return False
            self._left = left
        elif self._body == _CHUNKS:
            self._write_chunk(data, end)
            return True
        elif self._body == _NO_BODY:
            return True
        if data:
            self._out.append(data)
        return True

    def write_trailers(self, trailers: Fields) -> bool:
        """The end of a chunked body, with fields behind it (RFC 9112 §7.1.2); elsewhere just the end."""
        if self._body != _CHUNKS:
            return self.write_body(b"", end=True)
        self._out += (b"0\r\n", format_fields(trailers), b"\r\n")
        return True

    def _write_chunk(self, data: Buffer, end: bool) -> None:
        """An empty chunk would end the body, so none is written for empty data."""
        if data:
            self._out += (b"%x\r\n" % len(data), data, b"\r\n")
        if end:
            self._out.append(_LAST_CHUNK)


def connection_field(version: bytes, persistent: bool) -> bytes:
    """The `connection` line that a response needs, or nothing (RFC 9112 §9.3)."""
    if not persistent:
        return _CLOSE
    return _GO_ON if version == b"1.1" else _KEEP_ALIVE


def _length_of(body: Buffer) -> bytes:
    return b"content-length: %d\r\n" % len(body)
