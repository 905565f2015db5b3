"""The ClientHello reader: what OpenSSL sends is read, everything else is incomplete or malformed."""

from __future__ import annotations

import contextlib
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.tls.client_hello import ClientHello, IncompleteError, MalformedError, parse_client_hello


def client_hello(server_name: str | None, alpn: list[str]) -> bytes:
    """The first flight of a real client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(alpn)
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=server_name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize(
    ("server_name", "alpn"),
    [
        ("a.test", ["acme-tls/1"]),
        ("WWW.Example.com", ["h2", "http/1.1"]),
        ("a.test", []),
        (None, ["h2"]),
        (None, []),
    ],
)
def test_reads_what_a_real_client_offers(server_name: str | None, alpn: list[str]) -> None:
    """Server name in lower case and ALPN list in order, each empty when absent; and the groups."""
    expected = ((server_name or "").lower(), tuple(name.encode() for name in alpn))
    for behind in (b"", b"more behind"):
        found = parse_client_hello(client_hello(server_name, alpn) + behind)
        assert (found.server_name, found.alpn) == expected
        assert {0x0017, 0x001D} <= set(found.groups)  # secp256r1 and x25519


def test_every_proper_beginning_is_incomplete() -> None:
    """A cut ClientHello asks for more, wherever it is cut."""
    hello = client_hello("a.test", ["acme-tls/1"])
    for length in range(len(hello)):
        with pytest.raises(IncompleteError):
            parse_client_hello(hello[:length])


def test_a_message_spread_over_records_is_put_together() -> None:
    """A ClientHello may span several records (RFC 8446 §5.1)."""
    hello = client_hello("a.test", ["acme-tls/1"])
    message = hello[5:]
    records = b"".join(
        hello[:3] + len(part).to_bytes(2, "big") + part
        for part in (message[:1], message[1:7], message[7:100], message[100:])
    )
    assert parse_client_hello(records) == parse_client_hello(hello)
    assert parse_client_hello(records).alpn == (b"acme-tls/1",)


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n", b"\x16\x02\x01\x00\x05", b"\x16\x03\x01\x00\x00", b"\x16\x03\x01\xff\xff", b"\x80\x2e\x01"],
)
def test_what_is_no_client_hello_is_malformed(data: bytes) -> None:
    """Plain HTTP, SSL 2, empty and oversized records are told apart from a beginning."""
    with pytest.raises(MalformedError):
        parse_client_hello(data)


@given(st.binary(max_size=600))
def test_any_bytes_are_read_incomplete_or_malformed(data: bytes) -> None:
    """Nothing else ever comes out."""
    for prefix in (b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
        with contextlib.suppress(IncompleteError, MalformedError):
            assert isinstance(parse_client_hello(prefix + data), ClientHello)


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_changed_byte_never_breaks_the_reader(position: int, value: int) -> None:
    """A real ClientHello with any byte replaced is still one of the three outcomes."""
    hello = bytearray(client_hello("a.test", ["h2"]))
    hello[position % len(hello)] = value
    with contextlib.suppress(IncompleteError, MalformedError):
        parse_client_hello(bytes(hello))
