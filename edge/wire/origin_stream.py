"""What the HTTP/2 engine on the origin's side knows of one stream: how far request and response have come.

(interim head)* ─ final head ─ body of the announced length ─ trailers, or the bare end
"""

from __future__ import annotations

from edge.errors import UpstreamError
from edge.http.limits import MAX_INTERIM_RESPONSES
from edge.http.message import Fields, is_bodiless
from edge.wire.http2_response import ParsedHead, parse_head, parse_trailers
from edge.wire.origin import DataReceived, HeadReceived, InterimReceived, OriginEvent, ResponseEnded


class OriginStream:
    """One request and its response. The methods return events and raise UpstreamError 502 for what breaks a rule."""

    __slots__ = ("_interims", "_left", "_method", "has_head", "request_ended")

    def __init__(self, method: bytes, request_ended: bool) -> None:
        self.has_head = False
        """The final head has come."""
        self.request_ended = request_ended
        """END_STREAM has been written."""
        self._method = method
        self._interims = 0
        self._left: int | None = None

    def __repr__(self) -> str:
        return f"<OriginStream {self._method!r} has_head={self.has_head} request_ended={self.request_ended}>"

    def take_block(self, headers: Fields, ended: bool) -> list[OriginEvent]:
        """A header block, perhaps with END_STREAM."""
        if self.has_head:
            return self._take_trailers(headers, ended)
        parsed = parse_head(headers)
        return [self._take_interim(parsed, ended)] if parsed.status < 200 else self._take_head(parsed, ended)

    def take_data(self, data: bytes, ended: bool) -> list[OriginEvent]:
        """Body bytes, perhaps none, perhaps with END_STREAM."""
        left = self._left
        if left is not None:
            self._left = left = left - len(data)
            if left < 0:
                raise UpstreamError(502, "content-length")
        events: list[OriginEvent] = [DataReceived(data)] if data else []
        return [*events, self._end(())] if ended else events

    def _take_interim(self, parsed: ParsedHead, ended: bool) -> InterimReceived:
        self._interims += 1
        if ended or self._interims > MAX_INTERIM_RESPONSES:
            raise UpstreamError(502, "too-many-interims")
        return InterimReceived(parsed.status, parsed.fields)

    def _take_head(self, parsed: ParsedHead, ended: bool) -> list[OriginEvent]:
        self.has_head = True
        self._left = 0 if is_bodiless(self._method, parsed.status) else parsed.content_length
        head = HeadReceived(parsed.new_head(), ended)
        return [head, self._end(())] if ended else [head]

    def _take_trailers(self, headers: Fields, ended: bool) -> list[OriginEvent]:
        if not ended:
            raise UpstreamError(502, "second-head")
        return [self._end(parse_trailers(headers))]

    def _end(self, trailers: Fields) -> ResponseEnded:
        if self._left:
            raise UpstreamError(502, "content-length")
        return ResponseEnded(reusable=True, trailers=trailers)
