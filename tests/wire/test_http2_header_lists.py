"""The corpus of header lists, through the validator and through both engines, and both engines against each other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import RequestRefused as Refusal
from edge.http.message import Request
from edge.wire.engine import RequestReceived, RequestRefused
from edge.wire.http2_request import check_trailers, parse_request
from tests.corpus.http2.header_lists import GET, LEGITIMATE, SHAPES, Headers, Shape
from tests.wire import http2_frames as wire
from tests.wire.http2_peer import KINDS, Peer

Outcome = Request | None


def head_frames(headers: Headers, ended: bool) -> bytes:
    """HEADERS and as many CONTINUATION frames as the block needs."""
    block = wire.block(headers)
    starts = range(0, len(block), 16384)
    frames = []
    for start in starts:
        kind = wire.CONTINUATION if start else wire.HEADERS
        flags = (wire.END_HEADERS if start == starts[-1] else 0) | (wire.END_STREAM if ended and not start else 0)
        frames.append(wire.frame(kind, flags, 1, block[start : start + 16384]))
    return b"".join(frames)


def outcome(kind: str, headers: Headers, ended: bool) -> tuple[Outcome, Peer]:
    """What an engine makes of a header list: the request, or None when it is refused in whatever way."""
    peer = Peer(kind)
    peer.send(head_frames(headers, ended))
    received = peer.got(RequestReceived)
    return (received[0].request if received else None), peer


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_the_validator_gives_the_required_answer(shape: Shape) -> None:
    """Every shape of the corpus is accepted, or refused with its status."""
    answer: int | str = "ok"
    try:
        parse_request(shape.headers, shape.ended, b"https")
    except Refusal as refusal:
        answer = refusal.status
    assert answer == shape.answer


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
@pytest.mark.parametrize("kind", KINDS)
def test_an_engine_gives_the_required_answer(kind: str, shape: Shape) -> None:
    """What the corpus refuses never becomes a request; it is answered or reset, and the next request is served."""
    request, peer = outcome(kind, shape.headers, shape.ended)
    if shape.answer == "ok":
        assert request == parse_request(shape.headers, shape.ended, b"https")
    else:
        assert request is None
        assert [each.status for each in peer.got(RequestRefused)] == [shape.answer] or peer.seen(wire.RST_STREAM, 1)
    peer.send(wire.headers(3))
    assert peer.got(RequestReceived)[-1].stream_id == 3


@pytest.mark.parametrize("kind", KINDS)
def test_legitimate_shapes_on_one_connection(kind: str) -> None:
    """No shape leaves something behind that changes the next one."""
    peer = Peer(kind)
    for number, shape in enumerate(LEGITIMATE):
        peer.send(wire.headers(2 * number + 1, shape.headers, shape.ended))
    requests = [each.request for each in peer.got(RequestReceived)]
    assert requests == [parse_request(shape.headers, shape.ended, b"https") for shape in LEGITIMATE]


def test_a_request_is_clean() -> None:
    """Host, framing, hop-by-hop and expectation are not among the fields; underscored names are gone; crumbs are one."""
    headers = (
        *GET,
        (b"cookie", b"a=1"),
        (b"x_real_ip", b"127.0.0.1"),
        (b"te", b"trailers"),
        (b"host", b"A.test:443"),
        (b"content-length", b"5"),
        (b"proxy-authorization", b"x"),
        (b"trailer", b"x"),
        (b"expect", b"100-continue"),
        (b"accept", b"*/*"),
        (b"cookie", b""),
        (b"cookie", b"b=2"),
    )
    request = parse_request(headers, False, b"https")
    assert request.fields == ((b"accept", b"*/*"), (b"cookie", b"a=1; b=2"))
    assert (request.authority, request.content_length, request.expects_continue) == (b"a.test", 5, True)


@pytest.mark.parametrize(
    "bad", [(b"content-length", b"1"), (b"transfer-encoding", b"chunked"), (b":path", b"/"), (b"X", b"1")]
)
def test_trailers_with_framing_are_refused(bad: tuple[bytes, bytes]) -> None:
    """Trailers must not speak of framing, of pseudo-fields, or outside the grammar."""
    check_trailers(((b"x-checksum", b"1"),))
    with pytest.raises(Refusal):
        check_trailers(((b"x-checksum", b"1"), bad))


_NAMES = st.sampled_from(
    [
        b"accept",
        b"cookie",
        b"host",
        b"content-length",
        b"te",
        b"expect",
        b"x_y",
        b"X-Y",
        b"connection",
        b"x y",
        b":path",
        b"",
    ]
)
_VALUES = st.sampled_from(
    [b"", b"a", b"a.test", b"A.TEST", b"0", b"5", b"trailers", b"100-continue", b" a", b"a\r\nb", b"\xff"]
)
_PSEUDO = st.tuples(
    st.sampled_from([b"GET", b"POST", b"HEAD", b"OPTIONS", b"CONNECT", b"get", b"G T", b""]),
    st.sampled_from([b"https", b"https", b"http", b"ftp", b""]),
    st.sampled_from([b"a.test", b"A.test:443", b"a.test:1", b"u@a", b"", b"[::1]"]),
    st.sampled_from([b"/", b"/a?b", b"*", b"x", b"/a#b", b"/\xff", b"/%zz", b"//a", b""]),
)


@settings(max_examples=150, deadline=None)
@given(_PSEUDO, st.lists(st.tuples(_NAMES, _VALUES), max_size=4), st.booleans(), st.booleans())
def test_the_engines_agree(
    pseudo: tuple[bytes, bytes, bytes, bytes], fields: list[tuple[bytes, bytes]], ended: bool, with_authority: bool
) -> None:
    """For any header list both engines hand over the same request, or neither does."""
    names = (b":method", b":scheme", b":authority", b":path")
    head = tuple(item for item in zip(names, pseudo, strict=True) if with_authority or item[0] != b":authority")
    results = [outcome(kind, (*head, *fields), ended)[0] for kind in KINDS]
    assert results[0] == results[1]
