"""What policies read from requests, and the cookie that one of them sets."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.balancing import POLICIES, Policy
from edge.config.schema import Balancing
from edge.upstream.policies import new_balancer, new_key_reader, read_cookie, sticky_line
from tests.fakes import FakeExchange, make_request


def exchange(*fields: tuple[bytes, bytes]) -> FakeExchange:
    return FakeExchange(make_request(fields=fields))


@pytest.mark.parametrize("policy", POLICIES)
def test_every_word_has_a_balancer(policy: Policy) -> None:
    """And nothing else is needed to use it."""
    assert new_balancer(policy)
    reader = new_key_reader(Balancing(policy=policy, header="x-tenant"))
    assert reader is None or isinstance(reader(exchange()), bytes)
    assert set(POLICIES) == set(get_args(Policy))


def test_keys() -> None:
    """The client's address; all lines of a header; the cookie."""
    asked = exchange((b"x-tenant", b"a"), (b"x-tenant", b"b"), (b"cookie", b"x=1; edge_origin=abc"))
    expected = {"hash_client": b"192.0.2.1", "hash_header": b"a, b", "sticky_cookie": b"abc"}
    for policy in POLICIES:
        reader = new_key_reader(Balancing(policy=policy, header="x-tenant"))
        assert (reader(asked) if reader else None) == expected.get(policy)


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        ([], b""),
        ([b"edge_origin=1"], b"1"),
        ([b"a=b", b"edge_origin=1"], b"1"),
        ([b"edge_origin=1; edge_origin=2"], b"1"),
        ([b"xedge_origin=1"], b""),
        ([b"a=edge_origin=1"], b""),
        ([b"edge_origin"], b""),
        ([b";;edge_origin=;"], b""),
    ],
)
def test_cookies(lines: list[bytes], value: bytes) -> None:
    """The whole name counts; browsers split the field over HTTP/2."""
    assert read_cookie(exchange(*[(b"cookie", line) for line in lines]), b"edge_origin") == value


@given(st.binary(max_size=60))
def test_any_cookie_field_is_survived(line: bytes) -> None:
    """Visitors write what they like."""
    assert isinstance(read_cookie(exchange((b"cookie", line)), b"edge_origin"), bytes)


def test_the_cookie_is_secure_where_it_can_be() -> None:
    """Over plain HTTP a browser would not send a Secure cookie back."""
    assert sticky_line(b"id", b"https") == b"edge_origin=id; Path=/; HttpOnly; SameSite=Lax; Secure"
    assert not sticky_line(b"id", b"http").endswith(b"Secure")
