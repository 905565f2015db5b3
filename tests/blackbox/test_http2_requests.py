"""Requests over HTTP/2, through both engines: what must be refused is refused, and an origin sees the clean ones only."""

from __future__ import annotations

import pytest

from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.http2_visitor import HTTP2Visitor, head, request
from tests.blackbox.recorded import read_request
from tests.blackbox.recording_origin import RecordingOrigin
from tests.blackbox.test_http1_requests import FORGED
from tests.blackbox.visitor import Way, byte_by_byte, whole
from tests.corpus.http2.header_lists import SHAPES, Shape
from tests.wire import http2_frames as wire

WAYS = pytest.mark.parametrize("way", [whole, byte_by_byte], ids=["whole", "byte by byte"])


def outcome(visitor: HTTP2Visitor, stream_id: int, shape: Shape, way: Way) -> int | str:
    """What becomes of a shape; one that is not ended gets a body of five bytes."""
    visitor.send(*way(head(stream_id, shape.headers, shape.ended)))
    if not shape.ended:
        visitor.send(wire.data(stream_id, b"hello", end=True))
    return visitor.wait(stream_id)


@WAYS
def test_header_lists(site_with: EdgeProcess, origin: RecordingOrigin, way: Way) -> None:
    """Legitimate ones reach the origin in plain form; the others are answered or reset, and the connection lives."""
    origin.requests.clear()
    wrong = {}
    legitimate = 0
    for shape in SHAPES:
        with HTTP2Visitor(site_with.https_port, name="::1" if shape.name == "ipv6" else "a.test") as visitor:
            found = outcome(visitor, 1, shape, way)
            again = visitor.get(3, path=b"/again")
        expected = (200,) if shape.answer == "ok" else (shape.answer, "reset")
        if found not in expected or again != 200:
            wrong[shape.name] = (found, expected, again, visitor.goaway)
        legitimate += shape.answer == "ok"
    assert wrong == {}
    recorded = [read_request(each) for each in origin.requests]
    assert sum(each.target == b"/again" for each in recorded) == len(SHAPES)
    assert len(recorded) == len(SHAPES) + legitimate


def test_shapes_beside_each_other(site_with: EdgeProcess, origin: RecordingOrigin) -> None:
    """All of them on one connection: no bad one disturbs a good one."""
    origin.requests.clear()
    with HTTP2Visitor(site_with.https_port) as visitor:
        bad = [shape for shape in SHAPES if shape.answer != "ok"]
        for number, shape in enumerate(bad):
            outcome(visitor, 4 * number + 1, shape, whole)
            assert visitor.get(4 * number + 3) == 200, shape.name
    assert len([read_request(each) for each in origin.requests]) == len(bad)


LENGTHS = {
    "too short": (10, [wire.data(1, b"hello", end=True)]),
    "too long": (3, [wire.data(1, b"hello", end=True)]),
    "too long in two": (5, [wire.data(1, b"hello"), wire.data(1, b"!", end=True)]),
    "short, then trailers": (10, [wire.data(1, b"hello"), wire.headers(1, [(b"x-trailer", b"1")])]),
    "nothing, then trailers": (10, [wire.headers(1, [(b"x-trailer", b"1")])]),
    "empty data": (10, [wire.data(1, b"", end=True)]),
}


@pytest.mark.parametrize("kind", LENGTHS)
def test_a_body_of_another_length(site_with: EdgeProcess, origin: RecordingOrigin, kind: str) -> None:
    """The stream is reset and the origin hears nothing (H2.CL, H2.0)."""
    origin.requests.clear()
    length, frames = LENGTHS[kind]
    with HTTP2Visitor(site_with.https_port) as visitor:
        visitor.send(wire.headers(1, request(b"/", b"POST", (b"content-length", b"%d" % length)), end=False), *frames)
        assert visitor.wait(1) == "reset"
        assert visitor.get(3, path=b"/again") == 200
    assert [read_request(each).target for each in origin.requests] == [b"/again"]


TRAILERS = [
    b"content-length",
    b"host",
    b"authorization",
    b"cookie",
    b"transfer-encoding",
    b"te",
    b":path",
    b"X",
    b"a b",
]


@pytest.mark.parametrize("name", TRAILERS, ids=bytes.decode)
def test_trailers_that_change_the_request(site_with: EdgeProcess, origin: RecordingOrigin, name: bytes) -> None:
    """They are refused, or dropped; never are they forwarded as fields."""
    origin.requests.clear()
    with HTTP2Visitor(site_with.https_port) as visitor:
        trailers = wire.headers(1, [(name, b"5")])
        visitor.send(wire.headers(1, request(b"/", b"POST"), end=False), wire.data(1, b"hello"), trailers)
        visitor.wait(1)
        assert visitor.get(3, path=b"/again") == 200
    recorded = [read_request(each) for each in origin.requests]
    assert recorded[-1].target == b"/again"
    for each in recorded[:-1]:
        assert each.body == b"hello"
        assert each.fields[b"content-length"] == b"5"
        assert not each.fields.keys() & {b"authorization", b"cookie"}


def test_a_body_without_length_gets_one(site_with: EdgeProcess, origin: RecordingOrigin) -> None:
    """Application servers take a request without Content-Length for one without a body."""
    origin.requests.clear()
    with HTTP2Visitor(site_with.https_port) as visitor:
        visitor.send(wire.headers(1, request(b"/", b"POST"), end=False))
        visitor.send(wire.data(1, b"hel"), wire.data(1, b"lo"), wire.headers(1, [(b"x-trailer", b"1")]))
        assert visitor.wait(1) == 200
    (recorded,) = map(read_request, origin.requests)
    assert (recorded.body, recorded.fields[b"content-length"]) == (b"hello", b"5")
    assert b"x-trailer" not in recorded.fields


def test_a_visitor_cannot_speak_for_edge(site_with: EdgeProcess, origin: RecordingOrigin) -> None:
    """The forwarding fields are removed in every spelling that HTTP/2 allows."""
    forbidden = {b"keep-alive", b"proxy-connection", b"upgrade", b"http2-settings"}
    pairs = [line.lower().partition(b": ")[::2] for line in FORGED]
    fields = [(name, value) for name, value in pairs if name not in forbidden]
    origin.requests.clear()
    with HTTP2Visitor(site_with.https_port) as visitor:
        assert visitor.get(1, *fields, (b"x-mine", b"kept")) == 200
    (recorded,) = map(read_request, origin.requests)
    assert recorded.fields[b"x-mine"] == b"kept"
    assert not any(word in value for word in (b"1.2.3.4", b"evil", b"admin") for value in recorded.fields.values())


def test_cookie_crumbs_become_one_field(site_with: EdgeProcess, origin: RecordingOrigin) -> None:
    """RFC 9113 §8.2.3: joined by a semicolon and a space before they leave HTTP/2."""
    origin.requests.clear()
    with HTTP2Visitor(site_with.https_port) as visitor:
        assert visitor.get(1, (b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2")) == 200
    assert origin.requests[0].count(b"cookie:") == 1
    assert read_request(origin.requests[0]).fields[b"cookie"] == b"a=1; b=2"


def test_expect_is_answered_by_edge(site_with: EdgeProcess, origin: RecordingOrigin) -> None:
    """100 before the body, once; the origin does not see Expect."""
    origin.requests.clear()
    fields = ((b"expect", b"100-continue"), (b"content-length", b"5"))
    with HTTP2Visitor(site_with.https_port) as visitor:
        visitor.send(wire.headers(1, request(b"/", b"POST", *fields), end=False))
        visitor.read_until(lambda: visitor.interim)
        visitor.send(wire.data(1, b"hello", end=True))
        assert visitor.wait(1) == 200
        assert len(visitor.interim) == 1
    assert read_request(origin.requests[0]).body == b"hello"


def test_counts_agree(site_with: EdgeProcess, origin: RecordingOrigin) -> None:
    """A hundred streams in one write are a hundred requests at the origin, each once."""
    origin.requests.clear()
    ids = [2 * number + 1 for number in range(100)]
    with HTTP2Visitor(site_with.https_port) as visitor:
        visitor.send(b"".join(wire.headers(each, request(b"/%d" % each)) for each in ids))
        assert [visitor.wait(each) for each in ids] == [200] * 100
    assert sorted(int(read_request(each).target[1:]) for each in origin.requests) == ids
