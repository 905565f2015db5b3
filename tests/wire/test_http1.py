"""The visitor's HTTP/1.1 engine: requests in, responses out, and when the connection goes on."""

from __future__ import annotations

import re

import pytest

from edge.http.dates import DateCache
from edge.http.limits import MAX_LINGER, MAX_PIPELINED
from edge.http.message import ResponseHead
from edge.wire.engine import (
    BodyReceived,
    ConnectionEnded,
    RequestEnded,
    RequestReceived,
    RequestRefused,
    StreamAborted,
)
from edge.wire.http1 import HTTP1Engine
from edge.wire.request_head import parse_request_head
from tests.corpus.http1 import OK, chunked, head
from tests.wire.driving import Visit, whole

DATES = DateCache(lambda: 784111777.0)
DATE = b"date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
TEN = b"GET / HTTP/1.0\r\nHost: a\r\n"


def open_with(data: bytes, scheme: bytes = b"http") -> HTTP1Engine:
    engine = HTTP1Engine(scheme, DATES)
    engine.receive_data(data, 0.0)
    return engine


def answer(data: bytes, response: ResponseHead, body: bytes = b"") -> tuple[bytes, HTTP1Engine]:
    engine = open_with(data)
    engine.send_response(1, response, body)
    return engine.data_to_send(65536), engine


# -- requests ---------------------------------------------------------------------------------------------------------
def test_a_request_is_normalised() -> None:
    """Names in lower case, values stripped, authority normalised, Host and hop-by-hop fields gone, cookies untouched."""
    raw = (
        b"GET /a?b HTTP/1.1\r\nHost: Example.COM:443\r\nACCEPT:  text/html \t\r\nCookie: a=1\r\nCookie: b=2\r\n"
        b"TE: trailers\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nProxy-Connection: close\r\nKeep-Alive: 5\r\nTrailer: x\r\n\r\n"
    )
    request = parse_request_head(raw, b"https").request
    assert (request.method, request.scheme, request.authority) == (b"GET", b"https", b"example.com")
    assert (request.target, request.version, request.content_length) == (b"/a?b", b"1.1", 0)
    assert request.fields == ((b"accept", b"text/html"), (b"cookie", b"a=1"), (b"cookie", b"b=2"))


def test_connection_names_fields_that_stay_home() -> None:
    """What Connection lists is removed, but not what the next hop relies on."""
    raw = head(
        b"Connection: close, X-Hop , ,Cookie, X-Forwarded-For, Content-Length, Host, Authorization, Cache-Control",
        b"X-Hop: 1", b"Cookie: a", b"X-Forwarded-For: b", b"Authorization: c", b"Cache-Control: d", b"Content-Length: 3",
    )  # fmt: skip
    parsed = parse_request_head(raw, b"http")
    names = [name for name, _ in parsed.request.fields]
    assert names == [b"cookie", b"x-forwarded-for", b"authorization", b"cache-control"]
    assert parsed.request.content_length == 3
    assert not parsed.persistent


def test_the_transport_decides_the_scheme() -> None:
    """An absolute-form target cannot make a plain connection look like TLS."""
    raw = b"GET https://a/x HTTP/1.1\r\nHost: a\r\n\r\n"
    request = parse_request_head(raw, b"http").request
    assert (request.scheme, request.authority, request.target) == (b"http", b"a", b"/x")


def test_a_remembered_head_is_the_parsed_one() -> None:
    """The memo returns what parsing would, and keeps the transports apart."""
    raw = b"GET / HTTP/1.1\r\nHost: a:443\r\n\r\n"
    assert parse_request_head(raw, b"https") is parse_request_head(bytes(bytearray(raw)), b"https")
    assert parse_request_head(raw, b"https").request.authority == b"a"
    assert parse_request_head(raw, b"http").request.authority == b"a:443"


def test_pipelined_requests_wait_for_their_turn() -> None:
    """One request at a time is delivered; the next one after the response, through receive_data(b"")."""
    engine = open_with(OK)
    assert engine.receive_data(OK + OK[:10], 0.0) == []
    assert (engine.has_buffered, engine.head_in_progress) == (False, False)
    engine.send_response(1, ResponseHead(200), b"")
    assert (engine.has_buffered, engine.head_in_progress) == (True, True)
    assert [type(event) for event in engine.receive_data(b"", 0.0)] == [RequestReceived]
    engine.send_response(2, ResponseHead(200), b"")
    assert engine.receive_data(b"", 0.0) == []
    assert (engine.has_buffered, engine.head_in_progress) == (False, True)


def test_too_much_behind_an_unanswered_request_stops_the_reading() -> None:
    """What waits inside is bounded; reading goes on when it has been worked off."""
    engine = open_with(OK)
    wants = [engine.wants_data]
    engine.receive_data(OK * (MAX_PIPELINED // len(OK) + 1), 0.0)
    wants.append(engine.wants_data)
    engine.send_response(1, ResponseHead(200), b"")
    assert [*wants, engine.wants_data] == [True, False, True]


def test_an_identical_request_line_cannot_hide_a_body() -> None:
    """A head with a body is parsed every time and its body awaited every time."""
    raw = head(b"Content-Length: 2") + b"hi"
    assert Visit().read(whole(raw * 3)).requests == [(b"/", b"hi")] * 3


# -- 100-continue -----------------------------------------------------------------------------------------------------
def test_continue_is_sent_once_and_only_when_expected() -> None:
    """100 goes out when the driver asks and the client waits for it; 103 is passed on; nothing after the final head."""
    engine = open_with(head(b"Expect: 100-continue", b"Content-Length: 2"))
    engine.send_interim(1, 100, ())
    engine.send_interim(1, 100, ())
    engine.send_interim(1, 103, ((b"link", b"</a>"),))
    assert engine.data_to_send(1) == b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    engine.send_head(1, ResponseHead(200))
    engine.data_to_send(1)
    engine.send_interim(1, 103, ())
    assert engine.data_to_send(1) == b""


@pytest.mark.parametrize(
    "raw", [head(b"Content-Length: 2"), TEN + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"]
)
def test_continue_is_not_sent_to_who_does_not_wait(raw: bytes) -> None:
    """No 100 without the expectation, nor to HTTP/1.0 (RFC 9110 §10.1.1)."""
    engine = open_with(raw)
    engine.send_interim(1, 100, ())
    assert engine.data_to_send(1) == b""


def test_a_final_answer_instead_of_continue_closes() -> None:
    """Whether the body will still come is unknown then, so nothing behind it could be told from it."""
    out, engine = answer(head(b"Expect: 100-continue", b"Content-Length: 2"), ResponseHead(413), b"")
    assert b"connection: close\r\n" in out
    assert engine.must_close
    assert not engine.is_idle
    assert engine.receive_data(OK, 0.0) == []


def test_the_expectation_of_an_empty_body_is_none() -> None:
    """Without a body there is nothing to continue with."""
    assert not parse_request_head(head(b"Expect: 100-continue"), b"http").request.expects_continue


# -- responses --------------------------------------------------------------------------------------------------------
def test_a_small_response_is_one_piece() -> None:
    """Status line, fields, date, length, body."""
    out, engine = answer(OK, ResponseHead(200, ((b"a", b"b"),), 2), b"hi")
    assert out == b"HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 2\r\n" + DATE + b"\r\nhi"
    assert engine.is_idle
    assert not engine.must_close


def test_an_unknown_length_is_filled_in_for_a_whole_body() -> None:
    """A body that is there needs no chunks."""
    out, _ = answer(OK, ResponseHead(200), b"hi")
    assert out.endswith(b"content-length: 2\r\n\r\nhi")


def test_the_origins_date_is_kept() -> None:
    """A head with a date of its own gets no second one."""
    out, _ = answer(OK, ResponseHead(200, ((b"date", b"yesterday"), (b"x", b"y")), 0))
    assert out == b"HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 0\r\ndate: yesterday\r\n\r\n"


def test_the_date_of_a_kept_head_moves_on() -> None:
    """A head sent again carries the present date."""
    clock = iter([0.0, 100.0])
    kept, engine = ResponseHead(200, (), 0), HTTP1Engine(b"http", DateCache(lambda: next(clock)))
    dates = set()
    for stream_id in (1, 2):
        engine.receive_data(OK, 0.0)
        engine.send_response(stream_id, kept, b"")
        dates.update(re.findall(rb"date: [^\r]+", engine.data_to_send(1)))
    assert dates == {b"date: Thu, 01 Jan 1970 00:00:00 GMT", b"date: Thu, 01 Jan 1970 00:01:40 GMT"}


def test_a_status_without_a_name() -> None:
    """The space before an empty reason phrase stays (RFC 9112 §4)."""
    assert answer(OK, ResponseHead(299))[0].startswith(b"HTTP/1.1 299 \r\n")


@pytest.mark.parametrize(
    ("first", "response", "lengths"),
    [
        (b"HEAD / HTTP/1.1", ResponseHead(200, (), 5), [b"content-length: 5"]),
        (b"HEAD / HTTP/1.1", ResponseHead(200), [b"content-length: 4"]),
        (b"GET / HTTP/1.1", ResponseHead(204, (), 5), []),
        (b"GET / HTTP/1.1", ResponseHead(304, (), 5), [b"content-length: 5"]),
        (b"GET / HTTP/1.1", ResponseHead(304), []),
    ],
)
def test_bodiless_answers_have_no_body(first: bytes, response: ResponseHead, lengths: list[bytes]) -> None:
    """HEAD, 204 and 304 carry no body whatever is sent; 204 carries no length either (RFC 9110 §8.6)."""
    out, engine = answer(head(first=first), response, b"body")
    assert out.endswith(b"\r\n\r\n")
    assert re.findall(rb"content-length: \d+", out) == lengths
    assert not engine.must_close
    engine = open_with(head(first=first))
    engine.send_head(1, ResponseHead(response.status, (), response.content_length))
    assert engine.send_body(1, b"body", end=False)
    assert engine.send_body(1, b"", end=True)
    out = engine.data_to_send(1)
    assert out.endswith(b"\r\n\r\n")
    assert b"transfer-encoding" not in out
    assert not engine.must_close


def test_an_unknown_length_is_chunked() -> None:
    """HTTP/1.1 clients get chunks; empty pieces are not written, they would end the body."""
    engine = open_with(OK)
    engine.send_head(1, ResponseHead(200))
    for piece, end in ((b"", False), (b"x" * 17, False), (b"", False), (b"y", True)):
        assert engine.send_body(1, piece, end)
    out = engine.data_to_send(1)
    assert b"\r\ntransfer-encoding: chunked\r\n\r\n11\r\n" + b"x" * 17 + b"\r\n1\r\ny\r\n0\r\n\r\n" in out
    assert engine.is_idle


def test_an_unknown_length_ends_an_http_1_0_connection() -> None:
    """HTTP/1.0 has no chunks: the end of the connection ends the body, kept alive or not."""
    engine = open_with(TEN + b"Connection: keep-alive\r\n\r\n")
    engine.send_head(1, ResponseHead(200))
    engine.send_body(1, b"hi", end=False)
    assert not engine.must_close
    engine.send_body(1, b"", end=True)
    assert engine.data_to_send(1) == b"HTTP/1.1 200 OK\r\n" + DATE + b"connection: close\r\n\r\nhi"
    assert engine.must_close


@pytest.mark.parametrize("pieces", [[b"hi"], [b"hi", b"hi"], [b"hihihi"]])
def test_a_body_of_the_wrong_length_is_never_a_clean_end(pieces: list[bytes]) -> None:
    """Fewer or more bytes than announced abort the connection."""
    engine = open_with(OK)
    engine.send_head(1, ResponseHead(200, (), 3))
    *first, last = pieces
    assert (
        all([*(engine.send_body(1, piece, end=False) for piece in first), engine.send_body(1, last, end=True)]) is False
    )
    assert engine.must_close
    assert not engine.send_body(1, b"more", end=True)


def test_a_whole_body_of_the_wrong_length_is_not_sent() -> None:
    """send_response checks it as well."""
    out, engine = answer(OK, ResponseHead(200, (), 3), b"hi")
    assert out == b""
    assert engine.must_close


def test_a_reset_response_is_cut_off() -> None:
    """After reset nothing more is written, not even the last chunk, and the connection must be closed."""
    engine = open_with(OK)
    engine.send_head(1, ResponseHead(200))
    engine.reset(1)
    assert not engine.send_body(1, b"x", end=True)
    engine.send_response(1, ResponseHead(200), b"")
    assert engine.data_to_send(1) == b""
    assert engine.must_close


def test_calls_for_another_stream_are_ignored() -> None:
    """A handler that answers too late, or twice, cannot answer somebody else's request."""
    engine = open_with(OK)
    engine.send_response(2, ResponseHead(200), b"")
    engine.send_response(1, ResponseHead(200), b"")
    engine.data_to_send(1)
    engine.send_response(1, ResponseHead(500), b"")
    engine.send_head(1, ResponseHead(500))
    engine.reset(1)
    assert engine.data_to_send(1) == b""
    assert not engine.must_close


# -- the connection ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("raw", "field", "closes"),
    [
        (head(), None, False),
        (head(b"Connection: Keep-Alive"), None, False),
        (head(b"Connection: close"), b"close", True),
        (head(b"Connection: x, CLOSE"), b"close", True),
        (head(b"Connection: x", b"Connection: close"), b"close", True),
        (head(b"Connection: upgrade", b"Upgrade: websocket"), b"close", True),
        (TEN + b"\r\n", b"close", True),
        (TEN + b"Connection: keep-alive\r\n\r\n", b"keep-alive", False),
        (TEN + b"Connection: keep-alive, close\r\n\r\n", b"close", True),
    ],
)
def test_who_keeps_the_connection(raw: bytes, field: bytes | None, closes: bool) -> None:
    """HTTP/1.1 stays unless told to close, HTTP/1.0 closes unless asked to stay, and the answer says which."""
    out, engine = answer(raw, ResponseHead(200), b"")
    assert re.findall(rb"connection: ([^\r]+)", out) == ([field] if field else [])
    assert engine.must_close is closes
    assert engine.is_idle


def test_a_draining_connection_ends_with_its_next_response() -> None:
    """After shut_down the next response says close; the idle connection is left to the driver."""
    engine = HTTP1Engine(b"http", DATES)
    engine.shut_down()
    ends = [engine.must_close]
    engine.receive_data(OK + OK, 0.0)
    engine.send_response(1, ResponseHead(200), b"")
    assert b"connection: close" in engine.data_to_send(1)
    assert [*ends, engine.must_close] == [False, True]
    assert not engine.has_buffered


def test_the_rest_of_a_short_body_is_read_after_its_response() -> None:
    """The connection goes on behind an unwanted body of known, small length."""
    engine = open_with(head(b"Content-Length: 10") + b"01234")
    engine.send_response(1, ResponseHead(404), b"")
    assert not engine.must_close
    assert not engine.is_idle
    assert engine.receive_data(b"56", 0.0) == [BodyReceived(1, b"56", 2)]
    events = engine.receive_data(b"789" + OK, 0.0)
    assert [type(event) for event in events] == [BodyReceived, RequestEnded, RequestReceived]
    assert b"connection" not in engine.data_to_send(1)


@pytest.mark.parametrize("raw", [head(b"Content-Length: %d" % (MAX_LINGER + 1)), chunked(b"1\r\na\r\n")])
def test_a_long_unwanted_body_ends_the_connection(raw: bytes) -> None:
    """More than is worth reading, or nobody knows how much: close, and what lies behind is never a request."""
    out, engine = answer(raw, ResponseHead(413), b"")
    assert b"connection: close" in out
    assert engine.must_close
    assert engine.receive_data(OK, 0.0) == []


def test_the_end_of_input_is_orderly_between_requests() -> None:
    """EOF on an idle connection ends it without a reason."""
    engine = HTTP1Engine(b"http")
    assert engine.receive_eof() == [ConnectionEnded("")]
    assert engine.must_close


def test_the_end_of_input_in_a_head() -> None:
    """Half a head is no request."""
    engine = open_with(OK[:-1])
    assert engine.receive_eof() == [ConnectionEnded("truncated-head")]


@pytest.mark.parametrize("raw", [head(b"Content-Length: 2") + b"h", chunked(b"2\r\nhi\r\n0\r\n")])
def test_the_end_of_input_in_a_body(raw: bytes) -> None:
    """A body that stops short aborts its request."""
    engine = open_with(raw)
    assert engine.receive_eof() == [StreamAborted(1, "truncated-body"), ConnectionEnded("truncated-body")]


def test_a_broken_body_does_not_spoil_a_response_that_has_begun() -> None:
    """The engine's own 400 is for requests that nobody has begun to answer; the cut-off response speaks for itself."""
    engine = open_with(chunked(b"1\r\na\r\n"))
    engine.send_head(1, ResponseHead(200))
    engine.data_to_send(1)
    assert engine.receive_data(b"x\r\n", 0.0) == [StreamAborted(1, "chunk-syntax"), ConnectionEnded("chunk-syntax")]
    assert engine.data_to_send(1) == b""
    assert engine.must_close


def test_a_client_may_close_its_half_and_wait() -> None:
    """Complete requests are answered after EOF, pipelined ones too; then the connection ends."""
    visit = Visit()
    visit.engine.receive_data(OK + OK + OK, 0.0)
    assert visit.engine.receive_eof() == []
    for stream_id in (1, 2):
        visit.engine.send_response(stream_id, ResponseHead(200), b"")
        assert not visit.engine.must_close
        assert [type(event) for event in visit.engine.receive_data(b"", 0.0)] == [RequestReceived]
    visit.engine.send_response(3, ResponseHead(200), b"")
    assert visit.engine.must_close


def test_a_refused_request_is_answered_after_the_end_of_input() -> None:
    """A client that sends nonsense and closes its half still learns why."""
    engine = HTTP1Engine(b"http", DATES)
    assert engine.receive_data(b"nonsense\r\n", 0.0) == [RequestRefused(1, 400, "request-line")]
    assert engine.receive_eof() == []
    engine.send_response(1, ResponseHead(400), b"")
    assert engine.data_to_send(1).startswith(b"HTTP/1.1 400 ")
