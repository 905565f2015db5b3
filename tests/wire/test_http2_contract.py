"""What every HTTP/2 engine must do, whichever library is behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest

from edge.errors import ConfigError
from edge.http.dates import format_http_date
from edge.http.limits import HIGH_WATER, LOW_WATER, MAX_REQUESTS_PER_CONNECTION
from edge.http.message import Request, ResponseHead
from edge.wire import http2
from edge.wire.engine import (
    BodyReceived,
    ConnectionEnded,
    Engine,
    RequestEnded,
    RequestReceived,
    RequestRefused,
    StreamAborted,
    StreamWritable,
)
from edge.wire.http2 import http2_engine_factory
from tests.wire import http2_frames as wire
from tests.wire.http2_peer import KINDS, SOME_DAY, Peer, make_engine

OK = (b"x-answer", b"yes")
TEXT = b"hello"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    assert isinstance(request.param, str)
    return request.param


@pytest.fixture
def peer(kind: str) -> Peer:
    return Peer(kind)


def ok(length: int | None = len(TEXT)) -> ResponseHead:
    return ResponseHead(200, (OK,), length)


class Client:
    """A real client (python-h2), joined to an engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
        self.h2.initiate_connection()
        self.seen: list[Any] = []

    def exchange(self) -> list[Any]:
        """Move bytes both ways until nothing moves; returns the engine's events."""
        events: list[Any] = []
        while True:
            up = self.h2.data_to_send()
            if up:
                events += self.engine.receive_data(up, 0.0)
            down = self.engine.data_to_send(65536)
            for event in self.h2.receive_data(down):
                self.seen.append(event)
                if isinstance(event, h2.events.DataReceived):
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if not up and not down:
                return events

    def get(self, *fields: tuple[bytes, bytes]) -> int:
        stream_id = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream_id, [*wire.GET, *fields], end_stream=True)
        return stream_id

    def body(self, stream_id: int) -> bytes:
        pieces = [e for e in self.seen if isinstance(e, h2.events.DataReceived) and e.stream_id == stream_id]
        return b"".join(each.data or b"" for each in pieces)


def chunked(data: bytes) -> Iterator[bytes]:
    return (data[index : index + 1] for index in range(len(data)))


# -- requests ---------------------------------------------------------------------------------------------------------


def test_a_get_becomes_a_request_that_has_ended(kind: str) -> None:
    """HEADERS with END_STREAM is a request without a body; names, values and target arrive as they were sent."""
    client = Client(make_engine(kind))
    stream_id = client.get((b"user-agent", b"test"), (b"x-a_b", b"dropped"), (b"cookie", b"a=1"), (b"cookie", b"b=2"))
    fields = ((b"user-agent", b"test"), (b"cookie", b"a=1; b=2"))
    request = Request(b"GET", b"https", b"a.test", b"/", fields, 0, b"2")
    assert client.exchange() == [RequestReceived(stream_id, request, True)]


def test_a_body_arrives_in_pieces_and_ends(peer: Peer) -> None:
    """A body of unknown length is delivered as it comes, with its end behind it."""
    events = peer.send(wire.headers(1, wire.POST, end=False), wire.data(1, b"one"), wire.data(1, b"two", end=True))
    assert [type(each) for each in events] == [RequestReceived, BodyReceived, BodyReceived, RequestEnded]
    assert peer.got(RequestReceived)[0].request.content_length is None
    assert b"".join(each.data for each in peer.got(BodyReceived)) == b"onetwo"


@pytest.mark.parametrize("split", [False, True])
def test_splitting_the_input_changes_nothing(kind: str, split: bool) -> None:
    """The same bytes, whole or one by one, make the same events."""
    post = (*wire.POST, (b"content-length", b"3"))
    stream = wire.opening() + wire.headers(1) + wire.headers(3, post, end=False) + wire.data(3, b"abc", end=True)
    peer = Peer(kind, opening=b"")
    peer.send(*(chunked(stream) if split else [stream]))
    assert [type(each) for each in peer.events] == [RequestReceived, RequestReceived, BodyReceived, RequestEnded]


def test_trailers_end_the_body_and_are_dropped(peer: Peer) -> None:
    """Trailers are the end of the body; none of their fields appears anywhere."""
    post = (*wire.POST, (b"content-length", b"3"))
    trailers = ((b"host", b"evil.test"), (b"authorization", b"secret"), (b"x-trailer", b"secret"))
    peer.send(wire.headers(1, post, end=False), wire.data(1, b"abc"), wire.headers(1, trailers))
    assert [type(each) for each in peer.events] == [RequestReceived, BodyReceived, RequestEnded]
    assert "secret" not in repr(peer.events)


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("more than announced", [wire.data(1, b"abcdef")]),
        ("less than announced", [wire.data(1, b"abc", end=True)]),
        ("less, ended by empty DATA", [wire.data(1, b"abc"), wire.data(1, b"", end=True)]),
        ("less, ended by trailers", [wire.data(1, b"abc"), wire.headers(1, ((b"x", b"y"),))]),
        ("trailers announce a length", [wire.data(1, b"abcde"), wire.headers(1, ((b"content-length", b"9"),))]),
        ("trailers with a pseudo-field", [wire.data(1, b"abcde"), wire.headers(1, ((b":path", b"/"),))]),
        ("trailers without an end", [wire.data(1, b"abcde"), wire.headers(1, ((b"x", b"y"),), end=False)]),
    ],
)
def test_a_body_that_breaks_its_announcement_ends_its_stream_only(peer: Peer, name: str, frames: list[bytes]) -> None:
    """However a wrong body ends, the stream is reset and reported aborted, never ended; the connection lives."""
    peer.send(wire.headers(1, (*wire.POST, (b"content-length", b"5")), end=False), *frames)
    assert [each.stream_id for each in peer.got(StreamAborted)] == [1], name
    assert not peer.got(RequestEnded)
    assert [each.code for each in peer.seen(wire.RST_STREAM, 1)] == [wire.PROTOCOL_ERROR]
    peer.send(wire.headers(3))
    assert peer.got(RequestReceived)[-1].stream_id == 3


def test_a_refused_request_can_be_answered(peer: Peer) -> None:
    """The driver's answer to a refused request arrives; its body is thrown away and gives its credit back."""
    bad = ((b":method", b"BREW"), *wire.GET[1:])
    peer.send(wire.headers(1, bad, end=False), wire.data(1, b"coffee"))
    assert peer.got(RequestRefused) == [RequestRefused(1, 501, "method-unknown")]
    peer.engine.send_response(1, ResponseHead(501, (), 3), b"no\n")
    peer.read()
    assert peer.reader.fields(peer.seen(wire.HEADERS, 1)[0])[b":status"] == b"501"
    assert peer.body(1) == b"no\n"
    peer.send(wire.headers(3))
    assert peer.got(RequestReceived)[0].stream_id == 3


def test_a_client_reset_aborts_the_exchange(peer: Peer) -> None:
    """RST_STREAM after the head was delivered is one StreamAborted; late calls of the handler are ignored."""
    peer.send(wire.headers(1), wire.rst_stream(1))
    assert peer.got(StreamAborted) == [StreamAborted(1, "client-reset")]
    peer.engine.send_response(1, ok(), TEXT)
    assert not [each for each in peer.read() if each.stream_id == 1]
    assert peer.engine.is_idle


def test_a_request_withdrawn_in_the_same_read_is_never_seen(peer: Peer) -> None:
    """HEADERS and RST_STREAM in one read start no work."""
    assert peer.send(wire.headers(1) + wire.rst_stream(1)) == []


def test_the_end_of_input_aborts_what_is_unfinished(peer: Peer) -> None:
    """Behind the end of input no body comes; complete requests may still be answered, then the connection closes."""
    peer.send(wire.headers(1), wire.headers(3, wire.POST, end=False))
    events = peer.engine.receive_eof()
    assert events == [StreamAborted(3, "eof")]
    peer.engine.send_response(1, ok(), TEXT)
    peer.read()
    assert peer.body(1) == TEXT
    assert peer.engine.must_close


def test_the_end_of_input_on_an_idle_connection_is_orderly(peer: Peer) -> None:
    """Nothing was open: the connection ends without blame."""
    assert peer.engine.receive_eof() == [ConnectionEnded("")]
    assert peer.engine.must_close


def test_a_head_in_progress_shows(kind: str) -> None:
    """The head deadline runs during the preface and during a header block, and not between requests."""
    peer = Peer(kind, opening=b"")
    assert peer.engine.head_in_progress
    peer.send(wire.opening())
    assert not peer.engine.head_in_progress
    first, rest = wire.block(wire.GET)[:5], wire.block(wire.GET)[5:]
    peer.send(wire.frame(wire.HEADERS, wire.END_STREAM, 1, first))
    assert peer.engine.head_in_progress
    peer.send(wire.frame(wire.CONTINUATION, wire.END_HEADERS, 1, rest))
    assert not peer.engine.head_in_progress
    assert peer.got(RequestReceived)[0].stream_id == 1
    peer.send(wire.headers(3)[:-3])
    assert peer.engine.head_in_progress


# -- flow control of uploads ------------------------------------------------------------------------------------------


def test_credit_is_given_back_when_the_handler_has_taken_the_body(peer: Peer) -> None:
    """No WINDOW_UPDATE before body_consumed; after half a window there is one for stream and connection."""
    peer.send(wire.headers(1, wire.POST, end=False))
    peer.send(*(wire.data(1, b"x" * 16384) for _ in range(3)))
    before = [each for each in peer.seen(wire.WINDOW_UPDATE) if each.stream_id]
    assert before == []
    for event in peer.got(BodyReceived):
        peer.engine.body_consumed(1, event.credit)
    peer.read()
    assert sum(each.number for each in peer.seen(wire.WINDOW_UPDATE, 1)) >= 2 * 16384


def test_a_dead_upload_does_not_eat_the_connection_window(peer: Peer) -> None:
    """Bytes that no handler will take any more, padding too, are credited to the connection."""
    total = sum(each.number for each in peer.seen(wire.WINDOW_UPDATE, 0)) + 65535
    for stream_id in range(1, 120, 2):
        padded = wire.frame(wire.DATA, wire.PADDED, stream_id, b"\x0f" + b"y" * 16368 + b"\0" * 15)
        peer.send(wire.headers(stream_id, wire.POST, end=False), padded, wire.rst_stream(stream_id))
    credited = sum(each.number for each in peer.seen(wire.WINDOW_UPDATE, 0)) + 65535
    assert credited - total > 60 * 16384 - total // 2 - 1


# -- responses --------------------------------------------------------------------------------------------------------


def test_a_small_response_goes_out_whole(peer: Peer) -> None:
    """Head, length, date and body; afterwards nothing is open."""
    peer.send(wire.headers(1))
    peer.engine.send_response(1, ok(), TEXT)
    peer.read()
    fields = peer.reader.fields(peer.seen(wire.HEADERS, 1)[0])
    date = format_http_date(SOME_DAY)
    assert fields == {b":status": b"200", b"x-answer": b"yes", b"content-length": b"5", b"date": date}
    assert peer.body(1) == TEXT
    assert peer.seen(wire.DATA, 1)[-1].flags & wire.END_STREAM
    assert peer.engine.is_idle


def test_a_head_can_be_sent_again_and_again(kind: str) -> None:
    """A remembered head means the same on every stream and connection."""
    head = ok()
    for _ in range(2):
        client = Client(make_engine(kind))
        for _ in range(3):
            stream_id = client.get()
            client.exchange()
            client.engine.send_response(stream_id, head, TEXT)
            client.exchange()
            assert client.body(stream_id) == TEXT


def test_a_date_of_the_origin_is_kept(peer: Peer) -> None:
    """The engine adds a date only where there is none."""
    peer.send(wire.headers(1))
    peer.engine.send_response(1, ResponseHead(200, ((b"date", b"once"),), 0), b"")
    peer.read()
    assert peer.reader.fields(peer.seen(wire.HEADERS, 1)[0])[b"date"] == b"once"


@pytest.mark.parametrize(("method", "status"), [(b"HEAD", 200), (b"GET", 304), (b"GET", 204)])
def test_a_bodiless_response_has_no_body(peer: Peer, method: bytes, status: int) -> None:
    """Body bytes after HEAD, 204 and 304 are discarded; a length is announced but with 204."""
    peer.send(wire.headers(1, ((b":method", method), *wire.GET[1:])))
    peer.engine.send_head(1, ResponseHead(status, (), 5))
    assert peer.engine.send_body(1, TEXT, end=True)
    peer.read()
    assert peer.seen(wire.HEADERS, 1)[0].flags & wire.END_STREAM
    assert peer.seen(wire.DATA) == []
    assert (b"content-length" in peer.reader.fields(peer.seen(wire.HEADERS, 1)[0])) == (status != 204)
    assert peer.engine.is_idle


@pytest.mark.parametrize("pieces", [[b"abc"], [b"abc", b"abc"]])
def test_a_body_of_the_wrong_length_is_reset(peer: Peer, pieces: list[bytes]) -> None:
    """A response that is shorter or longer than announced never ends cleanly."""
    peer.send(wire.headers(1))
    peer.engine.send_head(1, ok(5))
    results = [peer.engine.send_body(1, piece, end=piece is pieces[-1] and len(pieces) == 1) for piece in pieces]
    assert results[-1] is False
    peer.read()
    assert [each.code for each in peer.seen(wire.RST_STREAM, 1)] == [wire.INTERNAL_ERROR]
    assert not any(each.flags & wire.END_STREAM for each in peer.seen(wire.DATA, 1))


def test_a_whole_response_of_the_wrong_length_is_reset(peer: Peer) -> None:
    """send_response holds itself to the announced length too."""
    peer.send(wire.headers(1))
    peer.engine.send_response(1, ok(9), TEXT)
    peer.read()
    assert [each.code for each in peer.seen(wire.RST_STREAM, 1)] == [wire.INTERNAL_ERROR]


def test_reset_gives_a_response_up(peer: Peer) -> None:
    """RST_STREAM INTERNAL_ERROR; what was queued is gone, the connection lives."""
    peer.send(wire.headers(1))
    peer.engine.send_head(1, ok(200_000))
    peer.engine.send_body(1, b"x" * 150_000, end=False)
    peer.read()
    peer.engine.reset(1)
    peer.read()
    assert [each.code for each in peer.seen(wire.RST_STREAM, 1)] == [wire.INTERNAL_ERROR]
    assert peer.engine.unsent(1) == 0
    assert peer.engine.is_idle


def test_interim_responses_come_before_the_final_one(peer: Peer) -> None:
    """103 goes out as often as sent, 100 once and only to a client that waits for it, neither after the final head."""
    peer.send(wire.headers(1, (*wire.POST, (b"expect", b"100-continue")), end=False), wire.headers(3))
    for stream_id in (1, 3):
        peer.engine.send_interim(stream_id, 100, ())
        peer.engine.send_interim(stream_id, 100, ())
        peer.engine.send_interim(stream_id, 103, ((b"link", b"</x>"),))
        peer.engine.send_head(stream_id, ok(None))
        peer.engine.send_interim(stream_id, 103, ())
    peer.read()
    statuses = [(each.stream_id, peer.reader.fields(each)[b":status"]) for each in peer.seen(wire.HEADERS)]
    assert statuses == [(1, b"100"), (1, b"103"), (1, b"200"), (3, b"103"), (3, b"200")]


def test_an_answer_before_the_end_of_the_upload_stops_it(peer: Peer) -> None:
    """Once the response is complete, RST_STREAM NO_ERROR asks for no more; what is on its way is ignored."""
    peer.send(wire.headers(1, wire.POST, end=False), wire.data(1, b"x" * 100))
    peer.engine.send_response(1, ok(), TEXT)
    peer.read()
    assert peer.body(1) == TEXT
    assert [each.code for each in peer.seen(wire.RST_STREAM, 1)] == [0]
    events = peer.send(wire.data(1, b"x" * 100), wire.data(1, b"x", end=True), wire.headers(3))
    assert [type(each) for each in events] == [RequestReceived]
    assert len(peer.seen(wire.RST_STREAM)) == 1


def test_a_large_head_is_continued(peer: Peer) -> None:
    """A head larger than a frame goes out as HEADERS and CONTINUATION."""
    peer.send(wire.headers(1))
    cookies = tuple((b"set-cookie", b"%d=" % number + b"x" * 4000) for number in range(10))
    peer.engine.send_response(1, ResponseHead(200, cookies, 0), b"")
    peer.read()
    head, *more = [each for each in peer.frames if each.stream_id == 1]
    assert {each.kind for each in more} == {wire.CONTINUATION}
    whole = head._replace(payload=b"".join(each.payload for each in (head, *more)))
    assert peer.reader.fields(whole)[b":status"] == b"200"


# -- flow control of downloads ----------------------------------------------------------------------------------------


def test_a_large_body_arrives_whole(kind: str) -> None:
    """A real client gets every byte of a body many windows long."""
    client = Client(make_engine(kind))
    stream_id = client.get()
    client.exchange()
    body = bytes(range(256)) * 4096
    client.engine.send_head(stream_id, ok(len(body)))
    client.engine.send_body(stream_id, memoryview(body)[:300_000], end=False)
    client.engine.send_body(stream_id, memoryview(body)[300_000:], end=True)
    client.exchange()
    assert client.body(stream_id) == body
    assert client.engine.is_idle


def test_a_body_waits_for_its_window(peer: Peer) -> None:
    """Never more than the window is sent; what is left shows in `unsent` and goes on after WINDOW_UPDATE."""
    peer.send(wire.headers(1))
    peer.engine.send_response(1, ok(100_000), b"x" * 100_000)
    peer.read()
    assert len(peer.body(1)) <= 65535
    assert peer.engine.unsent(1) == 100_000 - len(peer.body(1))
    peer.send(wire.window_update(0, 50_000), wire.window_update(1, 50_000))
    assert len(peer.body(1)) == 100_000


def test_a_smaller_initial_window_holds_open_streams_back(peer: Peer) -> None:
    """SETTINGS_INITIAL_WINDOW_SIZE changes windows of open streams, below zero if need be (RFC 9113 §6.9.2)."""
    peer.send(wire.headers(1))
    peer.engine.send_head(1, ok(None))
    peer.engine.send_body(1, b"x" * 30_000, end=False)
    peer.read()
    peer.send(wire.settings({4: 20_000}))
    peer.engine.send_body(1, b"x" * 30_000, end=True)
    peer.read()
    assert len(peer.body(1)) == 30_000
    peer.send(wire.window_update(1, 40_000))
    assert len(peer.body(1)) == 60_000


def test_output_keeps_to_the_budget(peer: Peer) -> None:
    """About as many body bytes as asked for, the rest at the next call."""
    peer.send(wire.headers(1))
    peer.read()
    peer.engine.send_response(1, ok(60_000), b"x" * 60_000)
    first = peer.engine.data_to_send(16_384)
    assert 16_384 <= len(first) <= 2 * 16_384
    assert peer.engine.unsent(1) >= 60_000 - 2 * 16_384


def test_a_drained_stream_becomes_writable(peer: Peer) -> None:
    """Once above HIGH_WATER, a stream is reported when it falls to LOW_WATER: by take_writable, else as an event."""
    peer.send(wire.headers(1), wire.window_update(0, 1 << 20))
    for report in ("asked", "event"):
        peer.engine.send_head(1, ok(None))
        peer.engine.send_body(1, b"x" * (HIGH_WATER + 70_000), end=False)
        peer.read()
        assert peer.engine.take_writable() == []
        peer.send(wire.window_update(1, peer.engine.unsent(1) - LOW_WATER), read=False)
        peer.read()
        if report == "asked":
            assert peer.engine.take_writable() == [1]
            peer.send(wire.window_update(1, 65535))
        else:
            assert peer.send(wire.ping()) == [StreamWritable(1)]
        assert peer.engine.take_writable() == []


def test_responses_share_the_connection(peer: Peer) -> None:
    """Two long responses of the same urgency both make progress."""
    peer.send(wire.headers(1), wire.headers(3))
    for stream_id in (1, 3):
        peer.engine.send_response(stream_id, ok(60_000), b"x" * 60_000)
    peer.read(16_384)
    assert abs(len(peer.body(1)) - len(peer.body(3))) <= 2 * 16_384


def test_urgent_responses_go_first(peer: Peer) -> None:
    """`priority: u=0` overtakes `u=7` (RFC 9218)."""
    for stream_id, wish in ((1, b"u=7"), (3, b"u=0")):
        peer.send(wire.headers(stream_id, (*wire.GET, (b"priority", wish))))
    for stream_id in (1, 3):
        peer.engine.send_response(stream_id, ok(60_000), b"x" * 60_000)
    peer.read()
    assert len(peer.body(3)) == 60_000
    assert len(peer.body(1)) <= 65_535 - 60_000


def test_a_priority_update_is_heard(peer: Peer) -> None:
    """PRIORITY_UPDATE changes the order of what is queued; for unknown streams it is ignored."""
    peer.send(wire.headers(1), wire.headers(3))
    for stream_id in (1, 3):
        peer.engine.send_response(stream_id, ok(60_000), b"x" * 60_000)
    for stream_id in (3, 999):
        peer.send(wire.frame(wire.PRIORITY_UPDATE, 0, 0, stream_id.to_bytes(4) + b"u=0"), read=False)
    peer.read()
    assert len(peer.body(3)) == 60_000


# -- the end of a connection ------------------------------------------------------------------------------------------


def test_a_graceful_end_takes_two_steps(peer: Peer) -> None:
    """GOAWAY 2^31-1, then the last stream; what is in flight finishes, what comes later is refused, then it closes."""
    peer.send(wire.headers(1))
    peer.engine.shut_down()
    peer.read()
    assert [each.number for each in peer.seen(wire.GOAWAY)] == [2**31 - 1]
    peer.send(wire.headers(3))
    assert [each.number for each in peer.seen(wire.GOAWAY)] == [2**31 - 1, 3]
    assert [each.stream_id for each in peer.got(RequestReceived)] == [1, 3]
    peer.send(wire.headers(5))
    assert [each.stream_id for each in peer.got(RequestReceived)] == [1, 3]
    for stream_id in (1, 3):
        assert not peer.engine.must_close
        peer.engine.send_response(stream_id, ok(), TEXT)
        peer.read()
        assert peer.body(stream_id) == TEXT
    assert peer.engine.must_close


def test_a_silent_client_is_drained_by_a_second_call(peer: Peer) -> None:
    """Without data from the client the driver's second call names the last stream."""
    peer.engine.shut_down()
    assert not peer.engine.must_close
    peer.engine.shut_down()
    peer.engine.shut_down()
    peer.read()
    assert [each.number for each in peer.seen(wire.GOAWAY)] == [2**31 - 1, 0]
    assert peer.engine.must_close


def test_a_goaway_of_the_client_takes_nothing_away(peer: Peer) -> None:
    """Responses in flight finish; then the connection closes."""
    peer.send(wire.headers(1))
    peer.engine.send_response(1, ok(100_000), b"x" * 100_000)
    peer.send(wire.goaway(), wire.window_update(0, 50_000), wire.window_update(1, 50_000))
    assert len(peer.body(1)) == 100_000
    assert peer.engine.must_close


def test_a_connection_serves_a_bounded_number_of_requests(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """After MAX_REQUESTS_PER_CONNECTION the engine begins a graceful end by itself."""
    monkeypatch.setattr("edge.wire.http2_engine.MAX_REQUESTS_PER_CONNECTION", 3)
    assert MAX_REQUESTS_PER_CONNECTION > 3
    for stream_id in (1, 3, 5):
        assert not peer.seen(wire.GOAWAY)
        peer.send(wire.headers(stream_id))
        peer.engine.send_response(stream_id, ok(), TEXT)
        peer.read()
    assert peer.seen(wire.GOAWAY)[0].number == 2**31 - 1


def test_after_the_end_nothing_happens(peer: Peer) -> None:
    """A failed connection ignores input and calls, and says that it must close."""
    peer.send(wire.headers(1), wire.frame(wire.PUSH_PROMISE, wire.END_HEADERS, 1, b"\0\0\0\2"))
    assert isinstance(peer.events[-1], ConnectionEnded)
    assert peer.is_ended
    assert peer.send(wire.headers(3)) == []
    peer.engine.send_response(1, ok(), TEXT)
    peer.engine.send_head(1, ok())
    assert peer.engine.send_body(1, TEXT, end=True)
    peer.engine.reset(1)
    peer.engine.body_consumed(1, 5)
    peer.engine.shut_down()
    assert peer.engine.data_to_send(65536) == b""
    assert peer.engine.receive_eof() == []


# -- choosing an engine -----------------------------------------------------------------------------------------------


def test_auto_takes_the_fast_engine_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """auto is ngh2 if it can be imported, else h2."""
    assert type(http2_engine_factory("auto")()).__name__ == "Ngh2Engine"
    monkeypatch.setattr(http2, "is_ngh2_installed", lambda: False)
    assert type(http2_engine_factory("auto")()).__name__ == "H2Engine"


def test_a_missing_engine_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """ngh2 asked for by name and not installed: one sentence that says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "ngh2", None)
    monkeypatch.delitem(__import__("sys").modules, "edge.wire.http2_ngh2", raising=False)
    with pytest.raises(ConfigError, match=r"pip install 'edge\[fast\]'"):
        http2_engine_factory("ngh2")
