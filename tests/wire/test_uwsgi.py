"""Requests as uwsgi packets."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import RequestRefused
from edge.http.exchange import Peer
from edge.http.forwarding import upstream_fields
from edge.http.limits import MAX_FIELDS, MAX_HEAD, MAX_REQUEST_LINE
from edge.http.message import Field, Request
from edge.wire.uwsgi import MAX_PACKET, format_uwsgi_packet
from tests.wire.uwsgi_reader import read_packet

PEER = Peer("2001:db8::7", 4000)


def variables_of(
    *fields: Field, target: bytes = b"/", method: bytes = b"GET", length: int = 0, scheme: bytes = b"https"
) -> dict[str, bytes]:
    """What an application server gets of a visitor's request."""
    request = Request(method=method, scheme=scheme, authority=b"a.test:8443", target=target, fields=fields)
    return read_packet(format_uwsgi_packet(method, target, upstream_fields(request, PEER, "id", 1.5), length))


def test_a_packet_byte_by_byte() -> None:
    """Modifiers and sizes stand where the protocol has them, in little-endian order."""
    packet = format_uwsgi_packet(b"GET", b"/", ((b"host", b"a"),), 0)
    assert packet[:4] == b"\0" + (len(packet) - 4).to_bytes(2, "little") + b"\0"
    assert packet[4:].startswith(b"\x09\0HTTP_HOST\x01\0a")
    assert b"\x0e\0REQUEST_METHOD\x03\0GET" in packet


def test_the_variables_of_a_request() -> None:
    """The line, the body's length and type, and what edge knows of the visitor."""
    found = variables_of((b"content-type", b"text/plain"), target=b"/a%20b?c=%20", method=b"POST", length=5)
    assert found == {
        "REQUEST_METHOD": b"POST",
        "REQUEST_URI": b"/a%20b?c=%20",
        "PATH_INFO": b"/a b",
        "QUERY_STRING": b"c=%20",
        "SERVER_PROTOCOL": b"HTTP/1.1",
        "CONTENT_LENGTH": b"5",
        "CONTENT_TYPE": b"text/plain",
        "REQUEST_SCHEME": b"https",
        "HTTPS": b"on",
        "REMOTE_ADDR": b"2001:db8::7",
        "SERVER_NAME": b"a.test",
        "SERVER_PORT": b"8443",
        "HTTP_HOST": b"a.test:8443",
        "HTTP_X_FORWARDED_PROTO": b"https",
        "HTTP_X_FORWARDED_HOST": b"a.test:8443",
        "HTTP_X_FORWARDED_PORT": b"8443",
        "HTTP_X_FORWARDED_FOR": b"2001:db8::7",
        "HTTP_X_REAL_IP": b"2001:db8::7",
        "HTTP_X_REQUEST_ID": b"id",
        "HTTP_X_REQUEST_START": b"t=1500",
    }


def test_https_is_there_or_not() -> None:
    """`HTTPS=off` counts as on in some frameworks."""
    found = variables_of(scheme=b"http")
    assert "HTTPS" not in found
    assert found["REQUEST_SCHEME"] == b"http"


FORGED = (
    b"x_forwarded_for", b"x-forwarded_for", b"x_real_ip", b"x-forwarded-proto", b"x.forwarded.proto", b"x-forwarded-ssl",
    b"x_forwarded_proto", b"content_length", b"content_type", b"host_", b"http_host", b"https", b"remote_addr", b"remote-addr",
    b"script-name", b"uwsgi_file", b"uwsgi-file", b"uwsgi-scheme", b"path-info", b"proxy",
)  # fmt: skip


def test_a_visitor_chooses_no_variable_but_its_own() -> None:
    """Whatever a field is called, the variables that decide something are as if it had not been sent."""
    plain = variables_of()
    found = variables_of(*[(name, b"forged") for name in FORGED])
    new = {name: value for name, value in found.items() if name not in plain}
    assert {name: found[name] for name in plain} == plain
    assert set(new) == {
        "HTTP_HTTPS", "HTTP_REMOTE_ADDR", "HTTP_SCRIPT_NAME", "HTTP_UWSGI_FILE", "HTTP_UWSGI_SCHEME", "HTTP_PATH_INFO",
    }  # fmt: skip


def test_underscores_never_meet_dashes() -> None:
    """Not even in fields that nobody has looked at before."""
    fields = ((b"host", b"a"), (b"x-real-ip", b"192.0.2.1"), (b"x_real_ip", b"6.6.6.6"))
    assert read_packet(format_uwsgi_packet(b"GET", b"/", fields, 0))["REMOTE_ADDR"] == b"192.0.2.1"


def test_repeated_fields_are_joined() -> None:
    """By commas (RFC 9110 §5.3), cookies by semicolons (RFC 9113 §8.2.3)."""
    found = variables_of((b"accept", b"a"), (b"cookie", b"a=1"), (b"accept", b"b"), (b"cookie", b"b=2"))
    assert (found["HTTP_ACCEPT"], found["HTTP_COOKIE"]) == (b"a, b", b"a=1; b=2")


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", b"/", b""),
        (b"/?", b"/", b""),
        (b"/a?b?c", b"/a", b"b?c"),
        (b"//a//", b"//a//", b""),
        (b"/%C3%A9%2F%25", b"/\xc3\xa9/%", b""),
        (b"/a%3Fb?%3F", b"/a?b", b"%3F"),
        (b"/a/../b;c", b"/a/../b;c", b""),
        (b"*", b"", b""),
    ],
)
def test_paths_are_decoded_once_and_queries_not(target: bytes, path: bytes, query: bytes) -> None:
    """RFC 3875 §4.1.5 and §4.1.7; slashes are never merged."""
    found = variables_of(target=target)
    assert (found["PATH_INFO"], found["QUERY_STRING"], found["REQUEST_URI"]) == (path, query, target)


def test_a_nul_in_the_path_is_refused() -> None:
    """Receivers written in C would see another path than we."""
    with pytest.raises(RequestRefused) as caught:
        variables_of(target=b"/a.svg%00.css")
    assert caught.value.status == 400


def test_a_packet_has_room_for_what_edge_accepts() -> None:
    """The longest line and the largest head together: 431 comes from the one limit on heads, not from this protocol."""
    line = b"/" + b"a" * (MAX_REQUEST_LINE // 2) + b"?" + b"b" * (MAX_REQUEST_LINE // 2)
    count = MAX_FIELDS
    value = b"v" * ((MAX_HEAD - MAX_REQUEST_LINE) // count)
    assert variables_of(*[(b"x-%d" % number, value) for number in range(count)], target=line)


@pytest.mark.parametrize("size", [MAX_PACKET - 10, MAX_PACKET + 1, 1 << 20])
def test_what_has_no_room_is_refused(size: int) -> None:
    """As one value or as the sum of many; never with sizes that have overflowed."""
    for fields in (((b"x", b"v" * size),), tuple((b"x-%d" % number, b"v" * (size // 10)) for number in range(10))):
        with pytest.raises(RequestRefused) as caught:
            format_uwsgi_packet(b"GET", b"/", ((b"host", b"a"), *fields), 0)
        assert caught.value.status == 431


NAMES = st.from_regex(rb"[!#$%&'*+.^_`|~0-9a-z-]{1,12}", fullmatch=True)
VALUES = st.from_regex(rb"[\x20-\x7e\x80-\xff\t]{0,20}", fullmatch=True)
TARGETS = st.from_regex(rb"/([!-$&-\[\]-~]|%[0-9A-Fa-f]{2}){0,20}", fullmatch=True)


@settings(deadline=None)
@given(fields=st.lists(st.tuples(NAMES, VALUES), max_size=12), target=TARGETS, length=st.integers(0, 10**15))
def test_any_request_reads_back_or_is_refused(fields: list[Field], target: bytes, length: int) -> None:
    """What a receiver reads is what was asked; edge's own words stay edge's."""
    path = unquote_to_bytes(target.partition(b"?")[0])
    try:
        found = variables_of(*fields, target=target, length=length)
    except RequestRefused:
        assert b"\0" in path
        return
    assert (found["REQUEST_URI"], found["PATH_INFO"]) == (target, path)
    assert found["CONTENT_LENGTH"] == b"%d" % length
    assert (found["REMOTE_ADDR"], found["HTTPS"], found["HTTP_HOST"]) == (b"2001:db8::7", b"on", b"a.test:8443")
    assert not any(name.startswith("UWSGI_") for name in found)
