"""What every HTTP/2 engine must do with requests and responses, whichever library is behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edge.http.dates import format_http_date
from edge.http.limits import CONNECTION_WINDOW
from edge.http.message import Request, ResponseHead
from edge.wire.engine import (
    BodyReceived,
    ConnectionEnded,
    RequestEnded,
    RequestReceived,
    RequestRefused,
    StreamAborted,
)
from tests.wire import http2_frames as wire
from tests.wire.http2_client import TEXT, Client, ok
from tests.wire.http2_peer import SOME_DAY, Peer, make_engine


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
    first, rest = wire.block(wire.GET)[:5], wire.block(wire.GET)[5:]
    steps = [
        b"",
        wire.opening(),
        wire.frame(wire.HEADERS, wire.END_STREAM, 1, first),
        wire.frame(wire.CONTINUATION, wire.END_HEADERS, 1, rest),
        wire.headers(3)[:-3],
    ]
    shown = []
    for step in steps:
        peer.send(step)
        shown.append(peer.engine.head_in_progress)
    assert shown == [True, False, True, False, True]
    assert peer.got(RequestReceived)[0].stream_id == 1


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


def answered_early(peer: Peer, *, body: bytes = TEXT) -> None:
    """A response to an upload that has only begun."""
    peer.send(wire.headers(1, wire.POST, end=False), wire.data(1, b"x" * 100))
    peer.engine.send_response(1, ok(len(body)), body)
    peer.read()


def test_a_short_rest_of_an_answered_upload_is_read_to_its_end(peer: Peer) -> None:
    """No RST_STREAM: a client that hears one while it sends may never look at the response (curl 7)."""
    answered_early(peer)
    assert peer.body(1) == TEXT
    assert peer.engine.is_idle
    events = peer.send(wire.data(1, b"x" * 100), wire.data(1, b"x", end=True), wire.headers(3))
    assert [type(each) for each in events] == [RequestReceived]
    assert not peer.seen(wire.RST_STREAM)


def test_a_long_rest_of_an_answered_upload_is_stopped(peer: Peer) -> None:
    """Behind the response, with RST_STREAM NO_ERROR (RFC 9113 §8.1); the windows stay open for others."""
    answered_early(peer)
    events = peer.send(*[wire.data(1, b"x" * 16_000)] * 5, wire.headers(3))
    assert [type(each) for each in events] == [RequestReceived]
    assert [each.code for each in peer.seen(wire.RST_STREAM)] == [0]
    credit = sum(each.number for each in peer.seen(wire.WINDOW_UPDATE, 0))
    assert credit >= CONNECTION_WINDOW - 65_535 + 5 * 16_000 - CONNECTION_WINDOW // 2


def test_a_response_that_is_stuck_is_not_cut_for_its_upload(kind: str) -> None:
    """However much of the upload comes: it is stopped only once the response is out."""
    peer = Peer(kind, {4: 0})
    answered_early(peer)
    peer.send(*[wire.data(1, b"x" * 13_000)] * 5)
    assert not peer.seen(wire.RST_STREAM)
    peer.send(wire.window_update(1, 1000))
    assert peer.body(1) == TEXT


def test_a_client_that_leaves_an_answered_upload_open(peer: Peer) -> None:
    """Its stream is nobody's any more: the connection may idle out, drain and end."""
    answered_early(peer)
    peer.engine.shut_down()
    peer.engine.shut_down()
    peer.read()
    assert peer.engine.must_close


def test_an_answered_upload_of_the_wrong_length(peer: Peer) -> None:
    """The length counts also when nobody listens."""
    peer.send(wire.headers(1, (*wire.POST, (b"content-length", b"10")), end=False))
    peer.engine.send_response(1, ok(), TEXT)
    peer.read()
    peer.send(wire.data(1, b"x" * 11, end=True))
    assert peer.seen(wire.RST_STREAM, 1)[0].code == wire.PROTOCOL_ERROR


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
