"""Which names are worth a question."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.certs.on_demand.rules import NameRules, is_spelt_right, public_suffixes
from edge.config.names import parse_name

REGISTRABLE = public_suffixes()
RULES = NameRules(2, all_public=False, registrable=REGISTRABLE)


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("customer.com", "customer.com"),
        ("www.customer.com", "customer.com"),
        ("a.b.customer.com", "customer.com"),
        ("shop.customer.co.uk", "customer.co.uk"),
        ("xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("customer.github.io", "customer.github.io"),
        ("com.com", "com.com"),
    ],
)
def test_a_name_counts_for_its_registrable_domain(name: str, domain: str) -> None:
    """As the CA counts: by the Public Suffix List, its private part included."""
    assert RULES.domain_of(name) == domain


@pytest.mark.parametrize(
    "name",
    [
        "", "com", "co.uk", "github.io",  # nobody's, or everybody's
        "a.b.c.customer.com", "www.www.customer.com", "mail.mail.customer.com",  # enumerated
        "shop.localhost", "shop.test", "printer.lan",  # nothing that a public CA certifies
        "192.0.2.1", "2001:db8::1", "*.customer.com",
        "Customer.com", "customer.com.", "customer..com", "_x.customer.com", "-x.customer.com", "xn--a.com", "bücher.de",
        "customer.com:443", "customer.com/x", "customer.com\r\nhost: b", "a" * 64 + ".com", "a." * 130 + "com",
    ],
)  # fmt: skip
def test_nobody_is_asked_about_it(name: str) -> None:
    """What cannot be anybody's own domain in its one spelling costs no question."""
    assert RULES.domain_of(name) is None


def test_private_names_count_where_a_directory_was_named() -> None:
    """An internal CA certifies what public ones do not."""
    assert NameRules(2, all_public=True, registrable=REGISTRABLE).domain_of("www.shop.test") == "shop.test"


def test_the_depth_is_the_operators() -> None:
    """0 lets registrable domains through and nothing below them."""
    rules = NameRules(0, all_public=False, registrable=REGISTRABLE)
    assert rules.domain_of("customer.com") == "customer.com"
    assert rules.domain_of("www.customer.com") is None


@given(st.text(max_size=300) | st.from_regex(r"[a-z0-9.*:-]{1,40}", fullmatch=True))
def test_any_server_name_is_right_or_not(name: str) -> None:
    """Whatever a stranger sends there is a verdict, and what is right is spelt as everywhere else in edge."""
    if is_spelt_right(name):
        assert parse_name(name) == name
    RULES.domain_of(name)
