"""PROXY protocol headers, whole and byte by byte."""

from __future__ import annotations

import contextlib
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.net.proxy_protocol import SIGNATURE, Announcement, IncompleteError, MalformedError, parse_header


def binary(command: int, family: int, body: bytes) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


V4 = socket.inet_aton("203.0.113.9") + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 40000, 443)
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7") + bytes(16) + struct.pack("!HH", 40000, 443)
MAPPED = socket.inet_pton(socket.AF_INET6, "::ffff:203.0.113.9") + bytes(16) + struct.pack("!HH", 1, 2)
EXTENSION = b"\x01\x00\x02h2"

GOOD = [
    (b"PROXY TCP4 203.0.113.9 192.0.2.1 40000 443\r\n", "203.0.113.9", 40000),
    (b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 443\r\n", "2001:db8::7", 40000),
    (b"PROXY UNKNOWN\r\n", "", 0),
    (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", "", 0),
    (binary(0x21, 0x11, V4), "203.0.113.9", 40000),
    (binary(0x21, 0x11, V4 + EXTENSION), "203.0.113.9", 40000),
    (binary(0x21, 0x21, V6), "2001:db8::7", 40000),
    (binary(0x21, 0x21, MAPPED), "203.0.113.9", 1),
    (binary(0x20, 0x00, b""), "", 0),
    (binary(0x20, 0x11, V4), "", 0),
    (binary(0x21, 0x31, bytes(216)), "", 0),
]

BAD = [
    b"GET / HTTP/1.1\r\n",
    b"\x16\x03\x01",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 40000\r\n",
    b"PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
    b"PROXY TCP6 203.0.113.9 192.0.2.1 1 2\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 65536 443\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 040 443\r\n",
    b"PROXY TCP4  203.0.113.9 192.0.2.1 40000 443\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 40000 443 \r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 40000 443\n" + b"x" * 80,
    b"PROXY UNKNOWN" + b" " * 100,
    binary(0x11, 0x11, V4),
    binary(0x22, 0x11, V4),
    binary(0x21, 0x13, V4),
    binary(0x21, 0x11, V4[:-1]),
    binary(0x21, 0x21, V4),
    SIGNATURE + b"\x21\x11\xff\xff",
]


@pytest.mark.parametrize(("header", "address", "port"), GOOD)
@pytest.mark.parametrize("behind", [b"", b"\x16\x03\x01", b"PROXY "])
def test_a_header_is_read_exactly_to_its_end(header: bytes, address: str, port: int, behind: bytes) -> None:
    """What follows belongs to the connection; anything shorter needs more."""
    assert parse_header(header + behind) == Announcement(len(header), address, port)
    for end in range(len(header)):
        with pytest.raises(IncompleteError):
            parse_header(header[:end])


@pytest.mark.parametrize("data", BAD)
def test_anything_else_is_refused(data: bytes) -> None:
    """Nothing is guessed."""
    with pytest.raises(MalformedError):
        parse_header(data)


@given(
    st.binary(max_size=300), st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11\x00"])
)
def test_any_bytes_are_a_header_incomplete_or_refused(data: bytes, start: bytes) -> None:
    """And a header never claims more than has come."""
    with contextlib.suppress(IncompleteError, MalformedError):
        announcement = parse_header(start + data)
        assert 0 < announcement.length <= len(start + data)
