"""Names of sites."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.names import MAX_NAME, is_public, parse_name
from tests.config.workspace import must_be_one_line

GOOD = [
    ("example.com", "example.com"),
    ("EXAMPLE.Com.", "example.com"),
    ("localhost", "localhost"),
    ("a-b.example", "a-b.example"),
    ("*.Example.com", "*.example.com"),
    ("bücher.example", "xn--bcher-kva.example"),
    ("BÜCHER.example", "xn--bcher-kva.example"),
    ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
    ("192.0.2.1", "192.0.2.1"),
    ("2001:DB8:0:0::1", "2001:db8::1"),
    ("[2001:db8::1]", "2001:db8::1"),
]

BAD = [
    ("", "no host name"),
    ("https://example.com", "is a URL"),
    ("example.com:443", "leave the port out"),
    ("a.test,b.test", "one name at a time"),
    ("a b", "one name at a time"),
    ("-a.test", "no host name"),
    ("a..test", "no host name"),
    ("my_host.test", "no host name"),
    ("example.com/path", "no host name"),
    ("user@example.com", "no host name"),
    ("a\0.test", "no host name"),
    ("a\x1b[31m.test", "no host name"),
    ("*", "whole first label"),
    ("www.*.test", "whole first label"),
    ("*a.test", "whole first label"),
    ("*.", "no host name"),
    ("xn--a.test", "no host name"),
    ("127.1", "ends like an IP address"),
    ("1.2.3.256", "ends like an IP address"),
    ("１２７.0.0.1", "ends like an IP address"),
    ("0x7f000001", "ends like an IP address"),
    ("0.0.0.0", "no address that visitors can ask for"),
    ("::", "no address that visitors can ask for"),
    ("224.0.0.1", "no address that visitors can ask for"),
    ("fe80::1%eth0", "zone"),
    ("::ffff:192.0.2.1", "192.0.2.1"),
    ("a" * 64 + ".test", "no host name"),
    (".".join(["a" * 60] * 5), "longer"),
    ("a" * 10_000, "longer"),
]


@pytest.mark.parametrize(("written", "name"), GOOD)
def test_a_name_has_one_spelling(written: str, name: str) -> None:
    """Every way to write a name gives the same lower-case A-labels or canonical address, which parses to itself."""
    assert parse_name(written) == name
    assert parse_name(name) == name


@pytest.mark.parametrize(("written", "reason"), BAD)
def test_what_is_no_name_is_refused_with_a_sentence(written: str, reason: str) -> None:
    """A complaint says why, on one line that is safe to print."""
    with pytest.raises(ValueError, match=r".") as caught:
        parse_name(written)
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()


@given(st.text(max_size=80))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    """There is no third outcome, and a name parses to itself."""
    try:
        name = parse_name(text)
    except ValueError as error:
        must_be_one_line(str(error))
        return
    assert name == name.lower()
    assert name.isascii()
    assert len(name) <= MAX_NAME
    assert parse_name(name) == name


@given(st.ip_addresses())
def test_every_address_of_a_host_is_a_name(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Addresses are kept in canonical form; those nobody can ask for are refused."""
    try:
        assert parse_name(str(address)) == str(address)
    except ValueError:
        mapped = getattr(address, "ipv4_mapped", None)
        assert address.is_multicast or address.is_unspecified or mapped


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("example.com", True),
        ("*.example.com", True),
        ("test.example.com", True),
        ("8.8.8.8", True),
        ("localhost", False),
        ("a.localhost", False),
        ("a.test", False),
        ("*.test", False),
        ("db.internal", False),
        ("router.home.arpa", False),
        ("intranet", False),
        ("10.0.0.1", False),
        ("127.0.0.1", False),
        ("::1", False),
        ("fd00::1", False),
    ],
)
def test_public_names_are_those_a_public_ca_certifies(name: str, expected: bool) -> None:
    """Local, reserved and single-label names and private addresses are not public."""
    assert is_public(name) is expected
