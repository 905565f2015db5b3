"""The origin's HTTP/1.1 engine: our request heads, its responses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.http.limits import MAX_INTERIM_RESPONSES
from edge.wire.http1_origin import HTTP1OriginEngine, format_request_head
from edge.wire.origin import DataReceived, HeadReceived, InterimReceived, OriginEvent, ResponseEnded, ResponseFailed
from tests.wire.driving import byte_by_byte, cut, read_response, upto_end, whole


def response(*lines: bytes, body: bytes = b"", first: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"\r\n".join((first, *lines, b"", body))


def head_of(events: list[OriginEvent]) -> HeadReceived:
    found = [event for event in events if isinstance(event, HeadReceived)]
    assert len(found) == 1
    return found[0]


CHUNKED = b"Transfer-Encoding: chunked"
TWO = b"Content-Length: 2"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


# -- requests ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("method", "length", "framing"),
    [
        (b"GET", 0, b""),
        (b"DELETE", 0, b""),
        (b"POST", 0, b"content-length: 0\r\n"),
        (b"GET", 3, b"content-length: 3\r\n"),
        (b"PUT", None, b"transfer-encoding: chunked\r\n"),
    ],
)
def test_a_request_head_has_one_framing(method: bytes, length: int | None, framing: bytes) -> None:
    """A length or chunks, never both; no length where there is no body, but for methods that announce an empty one."""
    expected = method + b" /x?y HTTP/1.1\r\nhost: a\r\n" + framing + b"\r\n"
    assert format_request_head(method, b"/x?y", ((b"host", b"a"),), length) == expected
    assert format_request_head(method, b"/x?y", b"host: a\r\n", length) == expected


# -- responses --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("feed", [whole, byte_by_byte])
@pytest.mark.parametrize(
    ("raw", "method", "expected"),
    [
        (response(TWO, body=b"hi"), b"GET", (2, b"hi", True)),
        (response(b"Content-Length: 0"), b"GET", (0, b"", True)),
        (response(CHUNKED, body=b"2;x=y\r\nhi\r\n0\r\nX: y\r\n\r\n"), b"GET", (None, b"hi", True)),
        (response(body=b"to the end"), b"GET", (None, b"to the end", False)),
        (response(TWO, b"Connection: close", body=b"hi"), b"GET", (2, b"hi", False)),
        (response(TWO, first=b"HTTP/1.0 200 OK", body=b"hi"), b"GET", (2, b"hi", False)),
        (response(TWO, b"Connection: Keep-Alive", first=b"HTTP/1.0 200 OK", body=b"hi"), b"GET", (2, b"hi", True)),
        (response(TWO), b"HEAD", (2, b"", True)),
        (response(CHUNKED), b"HEAD", (None, b"", True)),
        (response(), b"HEAD", (None, b"", True)),
        (response(first=b"HTTP/1.1 204 No Content"), b"GET", (None, b"", True)),
        (response(TWO, first=b"HTTP/1.1 304 Not Modified"), b"GET", (2, b"", True)),
        (response(TWO, b"Connection: upgrade", b"Upgrade: h2c", body=b"hi"), b"GET", (2, b"hi", True)),
        (response(TWO, first=b"HTTP/1.1 200", body=b"hi"), b"GET", (2, b"hi", True)),
        (response(TWO, first=b"HTTP/1.1 599 \xe9\t!", body=b"hi"), b"GET", (2, b"hi", True)),
    ],
)
def test_a_response_is_read(
    raw: bytes, method: bytes, expected: tuple[int | None, bytes, bool], feed: Callable[[bytes], list[bytes]]
) -> None:
    """Framing as RFC 9112 §6.3 orders it; the end says whether the connection may carry another request."""
    events = read_response(feed(raw), method)
    head, end = head_of(events), events[-1]
    assert isinstance(end, ResponseEnded)
    body = b"".join(bytes(event.data) for event in events if isinstance(event, DataReceived))
    assert (head.head.content_length, body, end.reusable) == expected
    assert head.head.fields == ()
    assert head.ended == (not body)


def test_fields_are_normalised() -> None:
    """Names in lower case; connection fields, what Connection names, and the CGI status are gone; order is kept."""
    raw = response(
        b"Server:  x ", b"Set-Cookie: a", b"SET-COOKIE: b", b"Connection: x-hop, keep-alive, cache-control", b"X-Hop: 1",
        b"Keep-Alive: 5", b"Status: 500", b"Cache-Control: no-store", b"Upgrade: h2", b"X_Under: 1", b"Content-Length: 0",
    )  # fmt: skip
    assert head_of(read_response(whole(raw))).head.fields == (
        (b"server", b"x"),
        (b"set-cookie", b"a"),
        (b"set-cookie", b"b"),
        (b"cache-control", b"no-store"),
        (b"x_under", b"1"),
    )


def test_every_response_has_a_head_of_its_own() -> None:
    """A handler may change the head it got; the next identical response is not affected."""
    raw = response(TWO, b"A: b", body=b"hi")
    first = head_of(read_response(whole(raw))).head
    first.fields += ((b"x", b"y"),)
    assert head_of(read_response(whole(raw))).head.fields == ((b"a", b"b"),)


@pytest.mark.parametrize("feed", [whole, byte_by_byte])
def test_interim_responses_come_before_the_final_one(feed: Callable[[bytes], list[bytes]]) -> None:
    """1xx heads are handed on, without connection fields; a length in them is not believed."""
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"
    events = read_response(feed(CONTINUE + early + response(TWO, body=b"hi")))
    assert events[:2] == [InterimReceived(100, ()), InterimReceived(103, ((b"link", b"</a>"),))]
    assert events[-1] == ResponseEnded(True)


def test_a_connection_carries_one_response_after_another() -> None:
    """After a reusable end the next request may begin."""
    engine = HTTP1OriginEngine()
    for _ in range(3):
        engine.begin(b"GET")
        assert engine.receive_data(response(CHUNKED, body=b"0\r\n\r\n"))[-1] == ResponseEnded(True)


def test_a_connection_that_is_used_up_takes_no_request() -> None:
    """begin after an end that is not reusable is a mistake of the caller."""
    engine = HTTP1OriginEngine()
    engine.begin(b"GET")
    engine.receive_data(response(b"Connection: close", b"Content-Length: 0"))
    with pytest.raises(AssertionError):
        engine.begin(b"GET")


@pytest.mark.parametrize(
    ("raw", "method"),
    [
        (response(TWO, body=b"hi") + b"x", b"GET"),
        (response(CHUNKED, body=b"0\r\n\r\n") + response(TWO), b"GET"),
        (response(TWO, body=b"hi"), b"HEAD"),
        (response(body=b"hi", first=b"HTTP/1.1 204 No Content"), b"GET"),
        (response(TWO, body=b"hi", first=b"HTTP/1.1 304 Not Modified"), b"GET"),
        (response(b"Content-Length: 0", body=b"hi"), b"GET"),
    ],
)
def test_bytes_behind_a_response_belong_to_nobody(raw: bytes, method: bytes) -> None:
    """In the same read they make the connection unusable; in a later one they fail it: never part of a response."""
    assert read_response(whole(raw), method)[-1] == ResponseEnded(False)
    late = read_response(byte_by_byte(raw), method)
    assert late[-2:] == [ResponseEnded(True), ResponseFailed("unexpected-data")]


def test_bytes_before_a_request_fail() -> None:
    """An origin that speaks unasked could poison the next exchange."""
    assert HTTP1OriginEngine().receive_data(response(TWO)) == [ResponseFailed("unexpected-data")]


REFUSED = {
    "two different lengths": response(TWO, b"Content-Length: 3", body=b"hi"),
    "two equal lengths": response(TWO, TWO, body=b"hi"),
    "length and chunks": response(TWO, CHUNKED, body=b"0\r\n\r\n"),
    "signed length": response(b"Content-Length: +2", body=b"hi"),
    "length list": response(b"Content-Length: 2, 2", body=b"hi"),
    "length with 16 digits": response(b"Content-Length: 1000000000000000"),
    "unknown coding": response(b"Transfer-Encoding: gzip", body=b"hi"),
    "two codings": response(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "chunks in HTTP/1.0": response(CHUNKED, first=b"HTTP/1.0 200 OK", body=b"0\r\n\r\n"),
    "NUL in a value": response(b"X: a\x00b", TWO),
    "control in a value": response(b"X: a\x01b", TWO),
    "bare CR in a value": response(b"X: a\rb", TWO),
    "bare LF": response(b"X: a\nY: b", TWO),
    "space before colon": response(b"X : a", TWO),
    "bad name": response(b"X(y): a", TWO),
    "empty name": response(b": a", TWO),
    "obs-fold": response(b"X: a\r\n b", TWO),
    "HTTP/2.0": response(TWO, first=b"HTTP/2.0 200 OK"),
    "HTTP/1.2": response(TWO, first=b"HTTP/1.2 200 OK"),
    "status of two digits": response(TWO, first=b"HTTP/1.1 20 OK"),
    "status of four digits": response(TWO, first=b"HTTP/1.1 2000 OK"),
    "status 0xx": response(TWO, first=b"HTTP/1.1 099 OK"),
    "status 6xx": response(TWO, first=b"HTTP/1.1 600 OK"),
    "garbage": b"\x15\x03\x01\x00\x02\x02\x0a",
    "empty line first": b"\r\n" + response(TWO),
    "an HTML page": b"<html>hello</html>",
    "101 unasked": response(b"Connection: upgrade", b"Upgrade: x", first=b"HTTP/1.1 101 Switching"),
    "too many interims": CONTINUE * (MAX_INTERIM_RESPONSES + 1) + response(TWO),
    "head of 80 KiB": response(*[b"X: " + b"y" * 8000] * 10),
    "no end of head": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
    "LF line ends": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
}


@pytest.mark.parametrize("feed", [whole, byte_by_byte])
@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_head_fails_and_nothing_of_it_gets_out(raw: bytes, feed: Callable[[bytes], list[bytes]]) -> None:
    """One failure, at once and not at the end of input; no head and no body; what follows is swallowed."""
    events = read_response(feed(raw), eof=False)
    assert [type(event) for event in events if not isinstance(event, InterimReceived)] == [ResponseFailed]


BROKEN_CHUNKS = {
    "bad size": b"x\r\n",
    "space behind size": b"2 \r\nhi\r\n0\r\n\r\n",
    "no CRLF behind data": b"2\r\nhix",
    "bare LF": b"2\nhi\r\n",
    "endless extension": b"1;" + b"x" * 20_000 + b"\r\na\r\n",
}


@pytest.mark.parametrize("feed", [whole, byte_by_byte])
@pytest.mark.parametrize("body", BROKEN_CHUNKS.values(), ids=BROKEN_CHUNKS.keys())
def test_broken_chunks_fail_the_response(body: bytes, feed: Callable[[bytes], list[bytes]]) -> None:
    """A body that breaks the grammar is never a whole one."""
    events = read_response(feed(response(CHUNKED, body=body)))
    assert isinstance(events[-1], ResponseFailed)
    assert not any(isinstance(event, ResponseEnded) for event in events)


@pytest.mark.parametrize(
    "raw", [response(TWO, body=b"h"), response(CHUNKED, body=b"2\r\nhi\r\n0\r\n"), b"HTTP", CONTINUE]
)
def test_an_origin_that_ends_too_early(raw: bytes) -> None:
    """A truncated head or body is a failure, also when only interim heads were seen."""
    assert read_response(whole(raw))[-1] == ResponseFailed("truncated")


def test_an_origin_that_says_nothing() -> None:
    """Only this failure may be retried: not one byte of a response came."""
    assert read_response([]) == [ResponseFailed("closed-before-response")]


def test_an_idle_connection_that_ends_is_no_failure() -> None:
    """No response was due."""
    assert HTTP1OriginEngine().receive_eof() == []


# -- any input --------------------------------------------------------------------------------------------------------
PARTS = [
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n", b"HTTP/1.0 ", b"204", b"\r\n", b"\n", b"\r", b":", b" "),
    *(CHUNKED + b"\r\n", TWO + b"\r\n", b"X: y\r\n", b"0\r\n\r\n", b"5\r\n", b"\r\n\r\n", b"Connection: close\r\n"),
]
SEEDS = [raw for raw in REFUSED.values() if len(raw) < 2000]
SEEDS += [
    response(CHUNKED, body=b"2\r\nhi\r\n0\r\n\r\n"),
    *(response(CHUNKED, body=raw) for raw in BROKEN_CHUNKS.values()),
]
NOISE = st.lists(st.sampled_from(PARTS) | st.binary(max_size=8), max_size=12).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.binary(max_size=100), NOISE, st.sampled_from(SEEDS), NOISE.map(lambda noise: PARTS[0] + noise)),
    st.sampled_from([b"GET", b"HEAD"]),
    st.lists(st.integers(1, 30), max_size=20),
)
def test_events_do_not_depend_on_how_the_input_is_cut(data: bytes, method: bytes, sizes: list[int]) -> None:
    """Any bytes, in any chunking, never raise and say the same, up to the end of the response."""
    one, many = read_response(whole(data), method), read_response(cut(data, sizes), method)
    assert upto_end(many) == upto_end(one)
