"""What crosses edge between a visitor and an origin."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.http import forwarding
from edge.http.exchange import Peer
from edge.http.forwarding import downstream_fields, reaches_origin, reaches_visitor, upstream_fields
from edge.http.message import HOP_BY_HOP, Fields, Request

ID = "0123456789abcdef" * 2


def forwarded(
    fields: Fields = (), *, scheme: bytes = b"https", authority: bytes = b"a.test", address: str = "192.0.2.1"
) -> Fields:
    request = Request(b"GET", scheme, authority, b"/", fields)
    return upstream_fields(request, Peer(address, 1), ID, 1_700_000_000.5)


def test_edge_says_who_asks() -> None:
    """Exactly these lines, Host first, whatever the visitor sent."""
    assert forwarded() == (
        (b"host", b"a.test"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-host", b"a.test"),
        (b"x-forwarded-port", b"443"),
        (b"x-forwarded-for", b"192.0.2.1"),
        (b"x-real-ip", b"192.0.2.1"),
        (b"x-request-id", ID.encode()),
        (b"x-request-start", b"t=1700000000500"),
    )


@pytest.mark.parametrize(
    ("scheme", "authority", "port"),
    [
        (b"https", b"a.test", b"443"),
        (b"http", b"a.test", b"80"),
        (b"https", b"localhost:8443", b"8443"),
        (b"https", b"[::1]", b"443"),
        (b"https", b"[::1]:8443", b"8443"),
    ],
)
def test_the_port_is_the_one_the_visitor_used(scheme: bytes, authority: bytes, port: bytes) -> None:
    """From the authority, else the scheme's own."""
    fields = dict(forwarded(scheme=scheme, authority=authority))
    assert fields[b"x-forwarded-port"] == port
    assert fields[b"host"] == fields[b"x-forwarded-host"] == authority
    assert fields[b"x-forwarded-proto"] == scheme


SPOOFED = [
    "host",
    "content-length",
    "expect",
    "forwarded",
    "x-forwarded-proto",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-ssl",
    "x-forwarded-protocol",
    "x-forwarded-scheme",
    "x-forwarded-prefix",
    "x-forwarded-server",
    "x-real-ip",
    "x-request-id",
    "x-request-start",
    "x-url-scheme",
    "front-end-https",
    "x-scheme",
    "x-original-url",
    "x-rewrite-url",
    "proxy",
    "x-sendfile-type",
    "x-accel-redirect",
    "x-accel-buffering",
    "cf-connecting-ip",
    "true-client-ip",
]


@pytest.mark.parametrize("name", SPOOFED)
def test_no_spelling_of_a_trusted_name_gets_through(name: str) -> None:
    """Any case; `-`, `_` and `.` are the same to some server."""
    spellings = {
        name,
        name.upper(),
        name.title(),
        name.replace("-", "_"),
        name.replace("-", "."),
        name.replace("-", "_", 1),
    }
    lines = tuple((spelling.encode(), b"spoofed") for spelling in spellings)
    assert forwarded(lines) == forwarded()


@given(st.from_regex(r"[!#$%&'*+\-.^_`|~0-9a-z]{1,30}", fullmatch=True))
@settings(max_examples=200)
def test_a_name_that_crosses_cannot_become_a_trusted_variable(name: str) -> None:
    """Whatever crosses is none of edge's words after the folding that CGI and WSGI do."""
    folded = name.replace("_", "-").replace(".", "-")
    if reaches_origin(name.encode()):
        assert "_" not in name
        assert folded not in SPOOFED
        assert not folded.startswith("x-forwarded-")
        assert name.encode() not in HOP_BY_HOP


def test_other_fields_cross_in_their_order() -> None:
    """Repeated ones and application words too."""
    lines = ((b"cookie", b"a=1"), (b"accept", b"*/*"), (b"x-csrftoken", b"t"), (b"accept", b"text/html"))
    assert forwarded(lines)[8:] == lines


@pytest.mark.parametrize(
    "name",
    [b"server", b"x-accel-redirect", b"x-accel-expires", b"x-sendfile", b"X-Sendfile", b"status", b"upgrade", b"te"],
)
def test_an_applications_words_to_its_server_end_here(name: bytes) -> None:
    """They name files, programs and connections."""
    assert not reaches_visitor(name)


def test_a_response_tells_edges_request_id() -> None:
    """One id, edge's own; every other field as it came."""
    fields = ((b"x-request-id", b"other"), (b"set-cookie", b"a"), (b"set-cookie", b"b"), (b"date", b"d"))
    assert downstream_fields(fields, ID) == (*fields[1:], (b"x-request-id", ID.encode()))


def test_what_is_remembered_is_bounded() -> None:
    """Visitors choose field names; remembering all of them would be their memory, not ours."""
    for number in range(3 * 2048):
        forwarded(((b"x-%d" % number, b""),))
    assert len(forwarding._to_origin) <= 2048
    forwarded(((b"x-" + b"y" * 30_000, b""),))
    assert max(map(len, forwarding._to_origin)) < 100
