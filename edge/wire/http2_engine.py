"""What the two HTTP/2 engines share: everything that HTTP means, nothing that frames mean.

A subclass turns bytes into calls of `_head_arrived`, `_data_arrived`, `_trailers_arrived` and `_reset_arrived`, and answers
the abstract methods below; events, refusals, body lengths, budgets, draining and flow-control credit are dealt with here,
once. Where a peer breaks a rule, the stream is reset and the connection lives; where it floods, or frames make no sense, the
connection ends with a GOAWAY.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum

from edge.errors import RequestRefused as Refusal
from edge.http.exchange import Buffer
from edge.http.limits import (
    HIGH_WATER,
    LOW_WATER,
    MAX_LINGER,
    MAX_REQUESTS_PER_CONNECTION,
    STREAM_WEIGHT,
    STREAM_WINDOW,
)
from edge.http.message import Fields, ResponseHead
from edge.wire.engine import (
    BodyReceived,
    ConnectionEnded,
    Event,
    RequestEnded,
    RequestReceived,
    RequestRefused,
    StreamAborted,
    StreamWritable,
)
from edge.wire.frame_watch import FrameWatch
from edge.wire.http2_frames import ErrorCode
from edge.wire.http2_request import check_trailers, is_head_request, parse_request
from edge.wire.http2_stream import Stream


class Drain(Enum):
    """How far a graceful end has come (RFC 9113 §6.8)."""

    OPEN = "open"
    NOTICE = "notice"
    """GOAWAY 2^31-1 is out: requests that cross it on the way are still answered."""
    FINAL = "final"
    """GOAWAY with the last stream is out: newer ones are refused, safe to be sent again elsewhere."""


class Http2Engine(ABC):
    """One HTTP/2 connection, server side, without its framing; the contract is `edge.wire.engine.Engine`."""

    version = "HTTP/2"
    multiplexed = True

    def __init__(self, scheme: bytes) -> None:
        self._scheme = scheme
        self._watch = FrameWatch()
        self._streams: dict[int, Stream] = {}
        self._events: list[Event] = []
        self._fresh: set[int] = set()  # streams whose request is among the events not yet returned
        self._stillborn: set[int] = set()  # those of them that have been aborted already
        self._crowded: set[int] = set()  # streams that have been above HIGH_WATER
        self._writable: list[int] = []
        self._requests = 0
        self._newest_stream = 0
        self._drain = Drain.OPEN
        self._peer_leaves = False  # GOAWAY or end of input: it opens no more streams
        self._failed = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._streams)} streams, {self._requests} requests, {self._drain.value}>"

    # -- what a subclass does ------------------------------------------------------------------------------------------

    @abstractmethod
    def _feed(self, data: bytes) -> None:
        """Understand frames that have passed the watch."""

    @abstractmethod
    def _write_interim(self, stream_id: int, status: int, fields: Fields) -> None:
        """A 1xx head."""

    @abstractmethod
    def _write_head(self, stream_id: int, head: ResponseHead, end: bool) -> None:
        """A final head; with `end` the response is complete."""

    @abstractmethod
    def _write_body(self, stream_id: int, data: Buffer, end: bool) -> None:
        """Queue body bytes, or the end, or both."""

    @abstractmethod
    def _write_trailers(self, stream_id: int, trailers: Fields) -> None:
        """Queue the end, with a header block behind what is queued of the body."""

    @abstractmethod
    def _write_reset(self, stream_id: int, code: int) -> None:
        """RST_STREAM; whatever is queued for the stream is thrown away."""

    @abstractmethod
    def _finish(self, stream_id: int) -> None:
        """Both sides of a stream have ended, the client's last."""

    @abstractmethod
    def _write_goaway(self, final: bool) -> None:
        """One of the two steps of a graceful end."""

    @abstractmethod
    def _write_failure(self, code: int) -> None:
        """The last GOAWAY. The codec is not used afterwards."""

    @abstractmethod
    def _give_credit(self, stream_id: int, credit: int) -> None:
        """Open the flow-control windows; the stream may be gone, the connection's window is still to be opened."""

    @abstractmethod
    def _widen_window(self, stream_id: int) -> None:
        """Let an open stream have UPLOAD_WINDOW in flight."""

    @abstractmethod
    def data_to_send(self, budget: int) -> bytes:
        """See `Engine`."""

    @abstractmethod
    def unsent(self, stream_id: int) -> int:
        """See `Engine`."""

    @property
    @abstractmethod
    def wants_data(self) -> bool:
        """False while MAX_CONTROL_OUTPUT bytes wait to be taken: a peer that does not read makes no new answers."""

    @property
    @abstractmethod
    def _has_output(self) -> bool:
        """Whether `data_to_send` has, or will have, something."""

    # -- input ---------------------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """See `Engine`. Frames behind a bad one are not looked at."""
        if not self._failed and data:
            final_due = self._drain is Drain.NOTICE
            passed = self._watch.observe(data, now)
            self._feed(data if passed == len(data) else data[:passed])
            if self._watch.violation is not None and not self._failed:
                self._fail(self._watch.violation.code, self._watch.violation.reason)
            if final_due and not self._failed:
                self.shut_down()
        return self._take_events()

    def receive_eof(self) -> list[Event]:
        """See `Engine`. Requests that are complete may still be answered."""
        if not self._failed:
            self._peer_leaves = True
            for stream in [each for each in self._streams.values() if not (each.request_ended or each.end_sent)]:
                self._abort(stream, ErrorCode.NO_ERROR, "eof")
            if not self._owes_responses:
                self._events.append(ConnectionEnded(""))
        return self._take_events()

    def _take_events(self) -> list[Event]:
        events, self._events = self._events, []
        self._fresh.clear()
        if self._stillborn:
            # A request that is withdrawn in the same breath never reaches a handler: no work for an attacker.
            events = [event for event in events if getattr(event, "stream_id", 0) not in self._stillborn]
            self._stillborn.clear()
        if self._writable:
            events += [StreamWritable(stream_id) for stream_id in self.take_writable()]
        return events

    def _head_arrived(self, stream_id: int, headers: Fields, ended: bool) -> None:
        self._requests += 1
        self._newest_stream = stream_id
        if self._requests == MAX_REQUESTS_PER_CONNECTION:
            self.shut_down()
        stream = self._streams[stream_id] = Stream(stream_id, ended)
        try:
            request = parse_request(headers, ended, self._scheme)
        except Refusal as refusal:
            stream.unwanted = True
            stream.is_head = is_head_request(headers)
            self._events.append(RequestRefused(stream_id, refusal.status, refusal.reason))
        else:
            stream.begin_request(request)
            self._fresh.add(stream_id)
            self._events.append(RequestReceived(stream_id, request, ended))

    def _data_arrived(self, stream_id: int, data: bytes, credit: int, ended: bool) -> None:
        stream = self._streams.get(stream_id)
        if stream is None:
            self._give_credit(stream_id, credit)
            return
        if not stream.take_request_body(len(data), ended):
            self._give_credit(stream_id, credit)
            self._abort(stream, ErrorCode.PROTOCOL_ERROR, "content-length")
            return
        if not stream.is_heard:
            self._ignore_data(stream, credit)
            return
        if data:
            stream.owed += credit
            self._events.append(BodyReceived(stream_id, data, credit))
        elif credit:
            self._give_credit(stream_id, credit)
        if ended:
            self._events.append(RequestEnded(stream_id))

    # An upload may go on behind the response that ends its exchange. RST_STREAM NO_ERROR asks for no more of it (RFC 9113 §8.1),
    # but a client that is told so while it sends may never look at the response (curl 7 does not). So what is left is read
    # and thrown away if it is little, as HTTP/1.1 does; only then is the client told to stop, behind the response.

    def _ignore_data(self, stream: Stream, credit: int) -> None:
        stream.ignored += credit
        if stream.ignored <= MAX_LINGER or stream.end_sent:
            self._give_credit(stream.stream_id, credit)
        else:
            stream.owed += credit  # the response is stuck in flow control: so is the upload
        if stream.end_sent:
            self._end_upload(stream)

    def _answer_is_out(self, stream: Stream) -> None:
        """END_STREAM has been written and the request has not ended."""
        stream.end_sent = True
        self._end_upload(stream)

    def _end_upload(self, stream: Stream) -> None:
        if stream.request_ended:
            self._finish(stream.stream_id)
        elif stream.is_tunnel or stream.ignored > MAX_LINGER:
            self._write_reset(stream.stream_id, ErrorCode.NO_ERROR)
            self._forget(stream.stream_id)

    def _trailers_arrived(self, stream_id: int, headers: Fields) -> None:
        """The end of a request body. Its trailers are judged and dropped."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        try:
            check_trailers(headers)
        except Refusal as refusal:
            self._abort(stream, ErrorCode.PROTOCOL_ERROR, refusal.reason)
        else:
            self._data_arrived(stream_id, b"", 0, ended=True)

    def _reset_arrived(self, stream_id: int, reason: str) -> None:
        """The stream is gone by RST_STREAM, from either side."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._report_abort(stream, reason)

    def _abort(self, stream: Stream, code: int, reason: str) -> None:
        """Reset a stream because of what the peer did, and say so."""
        self._write_reset(stream.stream_id, code)
        self._report_abort(stream, reason)
        self._pay_reset()

    def _pay_reset(self) -> None:
        """A reset of ours that the peer has provoked costs as much as one of its own (CVE-2025-8671)."""
        if not self._watch.resets.spend():
            self._fail(ErrorCode.ENHANCE_YOUR_CALM, "reset-flood")

    def _report_abort(self, stream: Stream, reason: str) -> None:
        self._forget(stream.stream_id)
        if stream.stream_id in self._fresh:
            self._stillborn.add(stream.stream_id)
        elif not stream.unwanted:
            self._events.append(StreamAborted(stream.stream_id, reason))

    def _forget(self, stream_id: int) -> None:
        """The exchange is over. What its handler has not consumed no longer holds back the connection's window."""
        stream = self._streams.pop(stream_id, None)
        self._crowded.discard(stream_id)
        if stream is not None and stream.owed:
            self._give_credit(stream_id, stream.owed)

    def _fail(self, code: int, reason: str) -> None:
        """The connection cannot go on."""
        if self._failed:
            return
        self._failed = True
        self._stillborn |= self._fresh
        self._write_failure(code)
        self._streams.clear()
        self._crowded.clear()
        self._events.append(ConnectionEnded(reason))

    @property
    def has_buffered(self) -> bool:
        """Whether events wait that came up while output was taken."""
        return bool(self._events)

    @property
    def head_in_progress(self) -> bool:
        """Whether the preface or a header block has begun and not ended."""
        return not self._failed and self._watch.head_in_progress

    def body_consumed(self, stream_id: int, credit: int) -> None:
        """Give credit back to the peer; ignored when the exchange is over, which has given back what was left."""
        stream = self._streams.get(stream_id)
        if stream is not None and credit:
            stream.owed -= credit
            before, stream.taken = stream.taken, stream.taken + credit
            self._give_credit(stream_id, credit)
            if before < STREAM_WINDOW <= stream.taken and stream.is_heard and not stream.request_ended:
                self._widen_window(stream_id)

    # -- output --------------------------------------------------------------------------------------------------------

    def send_interim(self, stream_id: int, status: int, fields: Fields) -> None:
        """Write a 1xx head; 100 only once, and only to a client that waits for it."""
        stream = self._streams.get(stream_id)
        if stream is not None and stream.may_send_interim(status):
            self._write_interim(stream_id, status, fields)

    def send_response(self, stream_id: int, head: ResponseHead, body: Buffer) -> None:
        """See `Engine`. A body that is not as long as `head` announces resets the stream instead."""
        stream = self._begin_response(stream_id, head)
        if stream is None:
            return
        if stream.bodiless:
            self._write_whole(stream, head, b"")
        elif stream.take_response_body(len(body), end=True):
            self._write_whole(stream, head, body)
        else:
            self.reset(stream_id)

    def send_head(self, stream_id: int, head: ResponseHead) -> None:
        """See `Engine`. A response without a body is complete with its head."""
        stream = self._begin_response(stream_id, head)
        if stream is None:
            return
        if stream.bodiless:
            self._write_whole(stream, head, b"")
        else:
            self._write_head(stream_id, head, end=False)

    def open_tunnel(self, stream_id: int, fields: Fields) -> int:
        """See `Engine`. The stream goes on as it is: DATA both ways."""
        stream = self._streams.get(stream_id)
        if stream is not None and stream.request is not None and stream.request.upgrade:
            stream.is_tunnel = True
            self.send_head(stream_id, ResponseHead(200, fields))
        return 200

    def send_body(self, stream_id: int, data: Buffer, end: bool) -> bool:
        """See `Engine`. True, and nothing happens, where no body is wanted any more."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.bodiless or stream.response_ended:
            return True
        if not stream.take_response_body(len(data), end):
            self.reset(stream_id)
            return False
        stream.response_ended = end
        self._watch.piece_sent()
        self._write_body(stream_id, data, end)
        if self.unsent(stream_id) > HIGH_WATER:
            self._crowded.add(stream_id)
        return True

    def send_trailers(self, stream_id: int, trailers: Fields) -> bool:
        """See `Engine`. HTTP/2 clients get them unasked: no other field can be taken for one (RFC 9113 §8.1)."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.bodiless or stream.response_ended:
            return True
        if not stream.take_response_body(0, end=True):
            self.reset(stream_id)
            return False
        stream.response_ended = True
        self._write_trailers(stream_id, trailers)
        return True

    def reset(self, stream_id: int) -> None:
        """RST_STREAM INTERNAL_ERROR; the peer sees that the response is not whole. CANCEL ends a tunnel (RFC 8441 §5)."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._write_reset(stream_id, ErrorCode.CANCEL if stream.is_tunnel else ErrorCode.INTERNAL_ERROR)
            self._forget(stream_id)

    def shut_down(self) -> None:
        """See `Engine`: two steps, the second by a second call or by the next data."""
        if self._failed or self._drain is Drain.FINAL:
            return
        final = self._drain is Drain.NOTICE
        self._drain = Drain.FINAL if final else Drain.NOTICE
        self._write_goaway(final)

    def take_writable(self) -> list[int]:
        """See `Engine`."""
        writable, self._writable = self._writable, []
        return writable

    @property
    def must_close(self) -> bool:
        """Whether the connection has failed, or drained after a GOAWAY from either side."""
        return self._failed or (
            (self._peer_leaves or self._drain is Drain.FINAL) and not self._owes_responses and not self._has_output
        )

    @property
    def is_idle(self) -> bool:
        """Whether no response is owed and nothing waits to be sent."""
        return not self._owes_responses and not self._has_output

    @property
    def _owes_responses(self) -> bool:
        return not all(stream.end_sent for stream in self._streams.values())

    @property
    def held(self) -> int:
        """See `Engine`."""
        total = 0
        for stream_id, stream in self._streams.items():
            unsent = self.unsent(stream_id)
            if unsent or not stream.request_ended:
                total += STREAM_WEIGHT + min(unsent, HIGH_WATER)
        return total

    def send_progress(self) -> dict[int, int]:
        """See `Engine`."""
        unsent = {stream_id: self.unsent(stream_id) for stream_id in self._streams}
        return {stream_id: self._streams[stream_id].response_size - rest for stream_id, rest in unsent.items() if rest}

    def _begin_response(self, stream_id: int, head: ResponseHead) -> Stream | None:
        stream = self._streams.get(stream_id)
        if stream is None or stream.head_sent:
            return None
        stream.begin_response(head)
        return stream

    def _write_whole(self, stream: Stream, head: ResponseHead, body: Buffer) -> None:
        """Head, body and end. An engine that can do better than one after the other overrides this."""
        stream.response_ended = True
        self._write_head(stream.stream_id, head, end=not body)
        if body:
            self._write_body(stream.stream_id, body, end=True)

    def _look_for_room(self) -> None:
        """Note the streams that have drained; called after output has been taken."""
        for stream_id in [each for each in self._crowded if self.unsent(each) <= LOW_WATER]:
            self._crowded.discard(stream_id)
            self._writable.append(stream_id)
