"""One grammar for requests: what passes, and which status answers what does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import RequestRefused
from edge.http import validation
from edge.http.validation import (
    check_field,
    check_method,
    check_target,
    normalise_authority,
    parse_content_length,
    split_authority,
)


@contextmanager
def refusal(status: int) -> Iterator[None]:
    with pytest.raises(RequestRefused) as info:
        yield
    assert info.value.status == status


# -- fields -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x", b""),
        (b"x-y", b"a"),
        (b"!#$%&'*+-.^_`|~09az", b"a b\tc"),
        (b"x", b"\x80\xff"),
        (b"x", b'"(,/:;<=>?@[\\]{}'),
    ],
)
def test_good_fields(name: bytes, value: bytes) -> None:
    """Any lower-case token; visible characters and obs-text, with spaces and tabs inside."""
    check_field(name, value)
    check_field(name, value)


@pytest.mark.parametrize(
    "name", [b"", b"X", b"x y", b"x:", b":path", b"x\n", b"x\x00", b"\xe9", b'x"', b"x(", b"x,", b"x/"]
)
def test_bad_names(name: bytes) -> None:
    """A name is a lower-case token, nothing else."""
    with refusal(400):
        check_field(name, b"v")


@pytest.mark.parametrize(
    "value", [b" ", b" a", b"a ", b"\ta", b"a\t", b"a\rb", b"a\n", b"\n", b"a\x00", b"\x01", b"\x1f", b"\x7f"]
)
def test_bad_values(value: bytes) -> None:
    """No control character but TAB, and no white space at the ends."""
    with refusal(400):
        check_field(b"x", value)


def passes(name: bytes, value: bytes) -> bool:
    try:
        check_field(name, value)
    except RequestRefused:
        return False
    return True


@given(st.binary(max_size=12), st.binary(max_size=12))
def test_a_field_that_passes_is_one_line(name: bytes, value: bytes) -> None:
    """Whatever passes, written as `name: value CRLF`, is exactly one field line."""
    if passes(name, value):
        assert re.fullmatch(rb"[^\x00-\x20\x7f-\xff:]+: [^\x00-\x08\x0a-\x1f\x7f]*", name + b": " + value)


def test_the_memo_is_bounded() -> None:
    """Neither many lines nor long ones, in name or value, make the memo grow."""
    for number in range(validation._MEMO_ENTRIES + 10):
        check_field(b"x-%d" % number, b"v")
    assert len(validation._good_lines) <= validation._MEMO_ENTRIES
    for name, value in ((b"n" * 300, b"v"), (b"n", b"v" * 300)):
        check_field(name, value)
        assert (name, value) not in validation._good_lines


# -- methods ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("method", "status"),
    [(b"", 400), (b"G T", 400), (b"GET\r\n", 400), (b"G" * 33, 400), (b"\xe9", 400), (b"CONNECT", 405), (b"TRACE", 405),
     (b"get", 501), (b"FOO", 501)],
)  # fmt: skip
def test_bad_methods(method: bytes, status: int) -> None:
    """No token is 400, a method that is not for origins 405, an unknown one 501."""
    with refusal(status):
        check_method(method)


def test_good_methods() -> None:
    """Every method of the list passes."""
    for method in validation.METHODS:
        check_method(method)


# -- targets ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("target", [b"/", b"//x", b"/a%20b?c=%", b"/a?b?c", b'/"<>^`{|}~', b"/;,@:!$&'()*+=[]"])
def test_good_targets(target: bytes) -> None:
    """Origin-form in visible ASCII; percent signs are judged in the path only, queries in the wild are sloppy."""
    check_target(b"GET", target)


@pytest.mark.parametrize(
    "target",
    [b"", b"x", b"*", b"?x", b"http://a/", b"/a b", b"/a\tb", b"/a#b", b"/a\\b", b"/\x00", b"/\x7f", b"/\x80", b"/a\r\n",
     b"/a\n", b"/%", b"/%1", b"/%zz", b"/%4?x"],
)  # fmt: skip
def test_bad_targets(target: bytes) -> None:
    """Everything else is 400."""
    with refusal(400):
        check_target(b"GET", target)


def test_the_asterisk_is_for_options() -> None:
    """`*` asks about the server, which only OPTIONS does."""
    check_target(b"OPTIONS", b"*")
    with refusal(414):
        check_target(b"OPTIONS", b"/" + b"a" * 9000)


# -- authorities ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "scheme", "normal"),
    [
        (b"Example.COM", b"https", b"example.com"),
        (b"example.com.", b"https", b"example.com"),
        (b"a:443", b"https", b"a"),
        (b"a:443", b"http", b"a:443"),
        (b"a:80", b"http", b"a"),
        (b"a:080", b"http", b"a"),
        (b"a:8443", b"https", b"a:8443"),
        (b"127.0.0.1:80", b"https", b"127.0.0.1:80"),
        (b"[::1]", b"https", b"[::1]"),
        (b"[2001:DB8::1]:443", b"https", b"[2001:db8::1]"),
        (b"[::ffff:1.2.3.4]:8", b"https", b"[::ffff:1.2.3.4]:8"),
        (b"a_b.xn--mnchen-3ya.de", b"http", b"a_b.xn--mnchen-3ya.de"),
    ],
)
def test_authorities_are_normalised(value: bytes, scheme: bytes, normal: bytes) -> None:
    """Lower case, without a final dot and the scheme's own port."""
    assert normalise_authority(value, scheme) == normal
    assert normalise_authority(normal, scheme) == normal


@pytest.mark.parametrize(
    "value",
    [b"", b".", b"-", b".a", b"a..b", b"u@a", b"a,b", b"a, b", b"a b", b"a/b", b"a?b", b"a#b", b"a\\b", b"a\n", b"a%41",
     b"\xc3\xa9", b"a:", b"a:0", b"a:65536", b"a:99999", b"a:100000", b"a:-1", b"a:b", b"a:1:2", b":80", b"[::1", b"::1", b"[]",
     b"[::::]", b"[1]", b"[a.b]", b"[fe80::1%25eth0]", b"[::1]a", b"[[::1]]", b"a" * 263],
)  # fmt: skip
def test_bad_authorities(value: bytes) -> None:
    """Userinfo, lists, paths, bad ports, empty labels and what is no IPv6 address are 400."""
    with refusal(400):
        normalise_authority(value, b"https")


@pytest.mark.parametrize(
    ("authority", "parts"),
    [(b"a", ("a", None)), (b"a:8443", ("a", 8443)), (b"[::1]", ("::1", None)), (b"[::1]:8443", ("::1", 8443))],
)
def test_authorities_are_split(authority: bytes, parts: tuple[str, int | None]) -> None:
    """Host without brackets, and port."""
    assert split_authority(authority) == parts


# -- lengths ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "value", [b"", b"+1", b"-1", b"1_0", b"0x1", b" 1", b"1 ", b"1,1", b"1\n", "١".encode(), b"1" * 16]
)
def test_bad_lengths(value: bytes) -> None:
    """Digits only, at most 15."""
    with refusal(400):
        parse_content_length(value)


@given(st.integers(0, 10**15 - 1))
def test_good_lengths(length: int) -> None:
    """Up to a petabyte."""
    assert parse_content_length(b"%d" % length) == length
