"""Who the client is, when a trusted proxy says so."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import RequestRefused
from edge.http.client_identity import Hop, Identity, identify, parse_forwarded, parse_node, walk
from edge.http.message import Field
from edge.http.networks import Networks
from tests.fakes import make_request

TRUSTED = Networks(["10.0.0.0/8", "2001:db8:1::/48", "203.0.113.0/24"])
CLOUDFLARE = Networks(["203.0.113.0/24"])
PEER = "10.0.0.1"


def identity(*fields: Field, peer: str = PEER) -> Identity:
    return identify(make_request("/", fields=fields), peer, TRUSTED, CLOUDFLARE)


@pytest.mark.parametrize(
    ("line", "address"),
    [
        (b"198.51.100.7", "198.51.100.7"),
        (b"6.6.6.6, 198.51.100.7", "198.51.100.7"),
        (b"6.6.6.6, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        (b"6.6.6.6,198.51.100.7 ,\t203.0.113.5,10.0.0.2", "198.51.100.7"),
        (b"10.0.0.3, 10.0.0.2", "10.0.0.3"),
        (b"198.51.100.7:4711", "198.51.100.7"),
        (b"[2001:db8::7]:4711", "2001:db8::7"),
        (b"2001:DB8:0::7", "2001:db8::7"),
        (b"::ffff:198.51.100.7", "198.51.100.7"),
        (b"198.51.100.7, unknown", PEER),
        (b"198.51.100.7, 10.0.0.2, _hidden, 10.0.0.4", "10.0.0.4"),
        (b"", PEER),
        (b"198.51.100.7,", PEER),
        (b"fe80::1%eth0", PEER),
        (b"198.51.100.007", PEER),
    ],
)
def test_the_first_untrusted_address_from_the_right_is_the_client(line: bytes, address: str) -> None:
    """What stands left of it is a stranger's word; what cannot be read ends the walk at whoever wrote it."""
    assert identity((b"x-forwarded-for", line)).address == address


def test_several_lines_are_one_list() -> None:
    """RFC 9110 §5.3: a visitor's line does not hide the proxy's behind it."""
    assert identity((b"x-forwarded-for", b"6.6.6.6"), (b"x-forwarded-for", b"198.51.100.7")).address == "198.51.100.7"


@pytest.mark.parametrize(
    ("fields", "scheme", "authority"),
    [
        ([(b"x-forwarded-proto", b"http")], b"http", b"a.test"),
        ([(b"x-forwarded-proto", b"HTTPS"), (b"x-forwarded-host", b"B.test:443")], b"https", b"b.test"),
        ([(b"x-forwarded-for", b"198.51.100.7, 10.0.0.2"), (b"x-forwarded-proto", b"http, https")], b"http", b"a.test"),
        ([(b"x-forwarded-for", b"6.6.6.6, 198.51.100.7"), (b"x-forwarded-proto", b"http, https")], b"https", b"a.test"),
        ([(b"forwarded", b'for="[2001:db8::7]:1";proto=http;host="b.test:8080"')], b"http", b"b.test:8080"),
        ([], b"", b""),
    ],
)
def test_scheme_and_host_are_those_that_the_client_used(fields: list[Field], scheme: bytes, authority: bytes) -> None:
    """As seen by the proxy that the client spoke to."""
    found = identity(*fields)
    assert (found.scheme, found.authority) == (scheme, authority)


@pytest.mark.parametrize(
    "fields",
    [
        [(b"x-forwarded-proto", b"gopher")],
        [(b"x-forwarded-host", b"a b")],
        [(b"x-forwarded-host", b"user@a.test")],
        [(b"x-forwarded-for", b"198.51.100.7"), (b"forwarded", b"for=198.51.100.8")],
        [(b"x-forwarded-for", b"198.51.100.7"), (b"forwarded", b"")],
    ],
)
def test_what_no_proxy_can_have_meant_is_refused(fields: list[Field]) -> None:
    """400, not a guess."""
    with pytest.raises(RequestRefused):
        identity(*fields)


def test_two_notations_that_agree_are_taken() -> None:
    """A proxy may write both."""
    assert (
        identity((b"x-forwarded-for", b"198.51.100.7"), (b"forwarded", b"for=198.51.100.7")).address == "198.51.100.7"
    )


def test_cloudflares_field_counts_from_cloudflare_only() -> None:
    """And there it must be one address."""
    fields = ((b"x-forwarded-for", b"198.51.100.8"), (b"cf-connecting-ip", b"198.51.100.7"))
    assert identity(*fields, peer="203.0.113.9").address == "198.51.100.7"
    assert identity(*fields).address == "198.51.100.8"
    with pytest.raises(RequestRefused):
        identity((b"cf-connecting-ip", b"198.51.100.7, 6.6.6.6"), peer="203.0.113.9")


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (b"0123-abc.D_e", True),
        (b"short", False),
        (b"x" * 129, False),
        (b"has space in it", False),
        (b'"quoted-id"', False),
    ],
)
def test_a_request_id_of_a_trusted_proxy_is_kept(value: bytes, kept: bool) -> None:
    """If it is one that can stand in logs and pages as it is."""
    assert identity((b"x-request-id", value)).request_id == (value.decode() if kept else "")


def test_forwarded_elements_are_read_with_their_quotes() -> None:
    """Commas and semicolons in quotes separate nothing; names are not case-sensitive."""
    value = b'For="[2001:db8::1]";Proto=https, for=192.0.2.1;host="a,b;c\\"d" , by=x;for=unknown'
    assert parse_forwarded(value) == [
        Hop(b"[2001:db8::1]", b"https"),
        Hop(b"192.0.2.1", b"", b'a,b;c"d'),
        Hop(b"unknown"),
    ]


def test_what_stands_left_of_a_broken_element_is_not_believed() -> None:
    """A visitor could have broken it."""
    assert parse_forwarded(b"for=6.6.6.6, for=, =x, for=192.0.2.1") == [Hop(b"192.0.2.1")]


@given(st.binary(max_size=80))
def test_any_bytes_are_hops_or_nothing(value: bytes) -> None:
    """The reader always comes back, and no address comes out that was not one."""
    for hop in parse_forwarded(value):
        parse_node(hop.node)
    with contextlib.suppress(RequestRefused):
        identity((b"forwarded", value), (b"x-forwarded-host", value))


@given(st.lists(st.sampled_from([b"10.0.0.2", b"198.51.100.7", b"x", b""]), max_size=6), st.binary(max_size=30))
def test_a_visitor_cannot_choose_an_address(left: list[bytes], more: bytes) -> None:
    """Whatever stands left of what the trusted proxy wrote, the client is whom it saw."""
    line = b",".join([more.replace(b",", b""), *left, b"192.0.2.99"])
    hops = [Hop(member.strip()) for member in line.split(b",")]
    assert walk(hops, PEER, TRUSTED)[0] == "192.0.2.99"
