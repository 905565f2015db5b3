"""Requests over HTTP/1.1: what must be refused is refused, and an origin sees the clean ones only."""

from __future__ import annotations

import pytest

from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.recorded import read_request
from tests.blackbox.recording_origin import RecordingOrigin
from tests.blackbox.visitor import Response, Visitor, Way, byte_by_byte, dial, dial_tls, whole
from tests.corpus.http1 import ABORTED, ACCEPTED, OK, REFUSED

GOOD = b"GET /good HTTP/1.1\r\nHost: a\r\n\r\n"


def visit(site: EdgeProcess, tls: bool) -> Visitor:
    return Visitor(dial_tls(site.https_port) if tls else dial(site.http_port))


def answers(site: EdgeProcess, tls: bool, way: Way, data: bytes) -> list[int]:
    """Statuses of all responses until edge closes the connection."""
    with visit(site, tls) as visitor:
        visitor.send(*way(data))
        statuses = [response.status for response in visitor.read_until_closed()]
        assert not visitor.was_cut, data[:100]  # a reset could destroy the answer on its way
        return statuses


WAYS = pytest.mark.parametrize("way", [whole, byte_by_byte], ids=["whole", "byte by byte"])
DOORS = pytest.mark.parametrize("tls", [True, False], ids=["TLS", "plain"])


@DOORS
@WAYS
def test_a_bad_request_is_refused(site: EdgeProcess, origin: RecordingOrigin, way: Way, tls: bool) -> None:
    """Each is answered with its status on a connection that then closes, and an origin hears of none."""
    origin.requests.clear()
    expected = {name: [status] for name, _, status in REFUSED} | {name: [400] for name, _ in ABORTED}
    corpus = [*((name, data) for name, data, _ in REFUSED), *ABORTED]
    if not tls:
        # A body is not waited for before a redirect, so it may break after the answer.
        corpus = [each for each in corpus if each not in ABORTED]
    found = {name: answers(site, tls, way, data) for name, data in corpus}
    assert found == {name: expected[name] for name in found}
    assert origin.requests == []


@DOORS
def test_a_bad_request_behind_a_good_one(site: EdgeProcess, origin: RecordingOrigin, tls: bool) -> None:
    """The good one in front of it is answered, and it alone reaches the origin."""
    origin.requests.clear()
    first = 200 if tls else 308
    found = {name: answers(site, tls, whole, GOOD + data) for name, data, _ in REFUSED}
    assert found == {name: [first, status] for name, _, status in REFUSED}
    recorded = [read_request(each) for each in origin.requests]
    assert {each.target for each in recorded} == ({b"/good"} if tls else set())
    assert len(recorded) == (len(REFUSED) if tls else 0)


@WAYS
def test_a_legal_request_reaches_the_origin(site: EdgeProcess, origin: RecordingOrigin, way: Way) -> None:
    """However unusual it looks, the origin sees the same requests in plain form, and each is answered."""
    for name, data, requests in ACCEPTED:
        origin.requests.clear()
        with visit(site, tls=True) as visitor:
            visitor.send(*way(data.replace(b"http://A:80", b"https://A:443").replace(b"HTTP://a", b"HTTPS://a")))
            responses = [visitor.read() for _ in requests]
        assert [each.status for each in responses] == [200] * len(requests), name
        recorded = [read_request(each) for each in origin.requests]
        assert [(each.target, each.body) for each in recorded] == list(requests), name


def test_a_trailer_never_becomes_a_field(site: EdgeProcess, origin: RecordingOrigin) -> None:
    """Trailers are dropped, and so are chunk extensions."""
    origin.requests.clear()
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with visit(site, tls=True) as visitor:
        visitor.send(head + b"2;ext=1\r\nhi\r\n0\r\nX-Admin: 1\r\nHost: b.test\r\n\r\n").read()
    (request,) = map(read_request, origin.requests)
    assert request.body == b"hi"
    assert request.fields[b"content-length"] == b"2"
    assert b"x-admin" not in request.fields


FORGED = [
    b"X-Forwarded-For: 1.2.3.4", b"x_forwarded_for: 1.2.3.4", b"X.Forwarded.For: 1.2.3.4",
    b"X-FORWARDED-PROTO: http", b"X_Forwarded-Proto: http", b"X.Forwarded-Proto: http",
    b"X-Forwarded-Host: evil", b"X-Forwarded-Port: 1", b"X-Forwarded-Ssl: off", b"X-Forwarded-Protocol: http",
    b"X-Forwarded-Scheme: http", b"X-Forwarded-Prefix: /evil", b"X-Forwarded-Server: evil", b"Forwarded: for=1.2.3.4",
    b"X-Real-IP: 1.2.3.4", b"X_Real_IP: 1.2.3.4", b"X-Request-ID: " + b"f" * 32, b"X-Request-Start: t=0",
    b"X-Url-Scheme: http", b"Front-End-Https: on", b"X-Scheme: http", b"X-Original-URL: /admin",
    b"X-Rewrite-URL: /admin", b"Proxy: evil", b"X-Sendfile-Type: x", b"X-Accel-Mapping: /=/", b"X-Accel-Buffering: no",
    b"CF-Connecting-IP: 1.2.3.4", b"True-Client-IP: 1.2.3.4", b"Content_Length: 7", b"Transfer_Encoding: chunked",
    b"SCRIPT_NAME: /evil", b"REMOTE_USER: admin", b"Keep-Alive: 5", b"Proxy-Connection: close", b"TE: trailers",
    b"Trailer: X", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__", b"Proxy-Authorization: Basic x",
]  # fmt: skip


def test_a_visitor_cannot_speak_for_edge(site: EdgeProcess, origin: RecordingOrigin) -> None:
    """Every spelling of the forwarding fields is removed, and what edge itself says is there once (`read_request` looks)."""
    origin.requests.clear()
    lines = b"\r\n".join((b"GET /forged HTTP/1.1", b"Host: A.test:443", *FORGED, b"X-Mine: kept", b"", b""))
    with visit(site, tls=True) as visitor:
        assert visitor.send(lines).read().status == 200
    (request,) = map(read_request, origin.requests)
    assert request.fields[b"host"] == b"a.test"
    assert request.fields[b"x-mine"] == b"kept"
    assert request.fields[b"x-request-id"] != b"f" * 32
    assert not any(word in value for word in (b"1.2.3.4", b"evil", b"admin") for value in request.fields.values())


PROTECTED = (b"Host", b"Content-Length", b"Cookie", b"Authorization", b"X-Forwarded-For", b"X-Forwarded-Proto")


@pytest.mark.parametrize("name", PROTECTED, ids=bytes.decode)
def test_connection_cannot_take_a_field_away(site: EdgeProcess, origin: RecordingOrigin, name: bytes) -> None:
    """`Connection: Cookie` would otherwise let a visitor decide what the application does not see."""
    origin.requests.clear()
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nCookie: c=1\r\nAuthorization: x\r\nConnection: "
    with visit(site, tls=True) as visitor:
        status = visitor.send(head + name + b"\r\n\r\nhi").read().status
    if status == 400:
        assert origin.requests == []
        return
    (request,) = map(read_request, origin.requests)
    assert request.body == b"hi"
    assert request.fields[b"cookie"] == b"c=1"
    assert request.fields[b"authorization"] == b"x"


def test_pipelined_requests_are_answered_in_order(site: EdgeProcess, origin: RecordingOrigin) -> None:
    """A hundred requests in one write, longer together than what waits unparsed, get a hundred answers."""
    origin.requests.clear()
    requests = [b"GET /%d HTTP/1.1\r\nHost: a\r\nX-Fill: %b\r\n\r\n" % (n, b"x" * 1000) for n in range(100)]
    with visit(site, tls=True) as visitor:
        visitor.send(b"".join(requests))
        assert [visitor.read().status for _ in requests] == [200] * 100
    assert [read_request(each).target for each in origin.requests] == [b"/%d" % n for n in range(100)]


def test_much_may_wait_behind_a_slow_request(site: EdgeProcess) -> None:
    """Answers that edge makes itself follow a proxied one, although reading had stopped in between."""
    refused = b"GET /x HTTP/1.1\r\nHost: unknown.test\r\nX-Fill: " + b"x" * 1000 + b"\r\n\r\n"
    with visit(site, tls=True) as visitor:
        visitor.send(GOOD + refused * 50)
        assert [visitor.read().status for _ in range(51)] == [200] + [421] * 50
        visitor.send(GOOD)
        assert visitor.read().status == 200


def expect(*, body: bytes = b"", value: bytes = b"100-continue", target: bytes = b"/") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: %b\r\n\r\n%b" % (target, value, body)


def test_expect_is_answered_once_and_not_forwarded(site: EdgeProcess, origin: RecordingOrigin) -> None:
    """100 comes from edge, before the body; the origin gets a request without Expect (RFC 9110 §10.1.1)."""
    origin.requests.clear()
    with visit(site, tls=True) as visitor:
        visitor.send(expect())
        assert visitor.read_head()[0] == 100
        response = visitor.send(b"hello").read()
    assert (response.status, response.interim) == (200, ())
    assert read_request(origin.requests[0]).body == b"hello"


def test_expect_with_a_request_in_the_place_of_the_body(site: EdgeProcess, origin: RecordingOrigin) -> None:
    """A client that does not wait sends a body, whatever it looks like: it is never read as a request."""
    origin.requests.clear()
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    for host in (b"a", b"unknown.test"):  # proxied; answered by edge itself before the body
        head = b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n" % (
            host,
            len(smuggled),
        )
        with visit(site, tls=True) as visitor:
            visitor.send(head + smuggled)
            visitor.read()
            assert visitor.send(OK).read().status == 200
    assert {read_request(each).target for each in origin.requests} <= {b"/", b"/ok"}


BODIES = {
    "GET": b"GET /%b HTTP/1.1\r\nHost: a\r\nContent-Length: 44\r\n\r\n",
    "HEAD": b"HEAD /%b HTTP/1.1\r\nHost: a\r\nContent-Length: 44\r\n\r\n",
    "OPTIONS": b"OPTIONS /%b HTTP/1.1\r\nHost: a\r\nContent-Length: 44\r\n\r\n",
    "DELETE": b"DELETE /%b HTTP/1.1\r\nHost: a\r\nContent-Length: 44\r\n\r\n",
    "unknown host": b"POST /%b HTTP/1.1\r\nHost: unknown.test\r\nContent-Length: 44\r\n\r\n",
}


@DOORS
@pytest.mark.parametrize("kind", BODIES)
def test_a_body_nobody_expected_is_not_a_request(
    site: EdgeProcess, origin: RecordingOrigin, kind: str, tls: bool
) -> None:
    """Bodies of requests that edge answers without them are read to their end, or the connection closes (CL.0)."""
    origin.requests.clear()
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: a\r\nX: abcd\r\n\r\n"
    assert len(smuggled) == 44
    with visit(site, tls) as visitor:
        visitor.send(BODIES[kind] % b"carrier" + smuggled)
        visitor.read(b"HEAD" if kind == "HEAD" else b"GET")
        visitor.send(b"GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert len(visitor.read_until_closed()) <= 1
    assert {read_request(each).target for each in origin.requests} <= {b"/carrier", b"/next"}


def test_a_pause_changes_nothing(site: EdgeProcess, origin: RecordingOrigin) -> None:
    """Head, answer, then the body: what follows an early answer is still that request's body (pause-based desync)."""
    origin.requests.clear()
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: a\r\nX: abcd\r\n\r\n"
    with visit(site, tls=True) as visitor:
        visitor.send(b"POST / HTTP/1.1\r\nHost: unknown.test\r\nContent-Length: 44\r\n\r\n")
        assert visitor.read().status == 421
        visitor.send(smuggled)
        visitor.send(OK)
        assert [each.status for each in _until_quiet(visitor)] in ([], [200])
    assert {read_request(each).target for each in origin.requests} <= {b"/ok"}


def _until_quiet(visitor: Visitor) -> list[Response]:
    visitor.sock.settimeout(0.3)
    responses = []
    while not visitor.is_closed():
        try:
            responses.append(visitor.read())
        except Exception:
            break
    return responses


def test_upgrade_to_http2_is_not_followed(site: EdgeProcess, origin: RecordingOrigin) -> None:
    """h2c would be a tunnel past edge: the request is answered as HTTP/1.1 and nothing of the offer is forwarded."""
    origin.requests.clear()
    head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n\r\n"
    with visit(site, tls=True) as visitor:
        assert visitor.send(head).read().status == 200
    read_request(origin.requests[0])


def test_a_request_that_is_too_large_is_refused_at_once(site: EdgeProcess) -> None:
    """1 MiB of fields, 10,000 fields, a target of 1 MiB: 431, 431, 414, and the connection ends (bar 14)."""
    million = 1 << 20
    for data, status in (
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * million, 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 10_000, 431),
        (b"GET /" + b"x" * million, 414),
    ):
        with visit(site, tls=True) as visitor:
            visitor.send(data)
            assert visitor.read().status == status
