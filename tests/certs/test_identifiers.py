"""Which CA certifies what."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.certs.identifiers import CertificateSpec, plan_certificates
from edge.config.acme_schema import CertificateOptions
from edge.config.names import is_public
from edge.config.schema import Site

PUBLIC = [
    "example.com",
    "a.b.example.co.uk",
    "*.example.com",
    "xn--bcher-kva.example.net",
    "8.8.8.8",
    "2606:4700::1111",
]
LOCAL = [
    "localhost",
    "app.localhost",
    "*.localhost",
    "a.test",
    "box.internal",
    "printer.local",
    "router.home.arpa",
    "intranet",
    "nas.lan",
    "hidden.onion",
    "127.0.0.1",
    "10.1.2.3",
    "192.168.0.10",
    "169.254.1.1",
    "100.64.0.1",
    "::1",
    "fe80::1",
    "fd00::1",
    "2001:db8::1",
]


@pytest.mark.parametrize("name", PUBLIC)
def test_delegated_names_and_global_addresses_are_public(name: str) -> None:
    """A public CA could certify them."""
    assert is_public(name)


@pytest.mark.parametrize("name", LOCAL)
def test_reserved_names_and_other_addresses_are_local(name: str) -> None:
    """No public CA certifies them, so none is asked."""
    assert not is_public(name)


def test_each_public_name_has_its_own_certificate_and_local_names_share_one_per_site() -> None:
    """A name that no longer points here lets nothing else lapse; nothing can fail at the local CA."""
    sites = [Site(names=("example.com", "www.example.com", "localhost", "127.0.0.1")), Site(names=("a.test",))]
    names = {name for site in sites for name in site.names}
    assert plan_certificates(sites, names, all_public=False) == [
        CertificateSpec(("example.com",), "public"),
        CertificateSpec(("www.example.com",), "public"),
        CertificateSpec(("localhost", "127.0.0.1"), "local"),
        CertificateSpec(("a.test",), "local"),
    ]


def test_an_explicit_directory_gets_all_names() -> None:
    """The operator's own CA may certify private names."""
    [spec] = plan_certificates([Site(names=("a.test",))], {"a.test"}, all_public=True)
    assert spec.authority == "public"


def test_names_that_are_settled_or_double_are_left_out() -> None:
    """Each name is in at most one certificate."""
    sites = [Site(names=("a.com", "b.com", "a.com")), Site(names=("a.com",))]
    assert plan_certificates(sites, {"a.com"}, all_public=False) == [CertificateSpec(("a.com",), "public")]


@given(
    st.lists(st.sampled_from([*PUBLIC, *LOCAL, "a" * 63 + "." + "b" * 63 + ".example.com"]), min_size=1, unique=True)
)
def test_directories_are_storage_segments_and_do_not_depend_on_order(names: list[str]) -> None:
    """The same set of names finds its certificate again."""
    one = CertificateSpec(tuple(names), "local").directory
    other = CertificateSpec((names[0], *reversed(names[1:])), "public").directory
    assert one == other
    assert re.fullmatch(r"[A-Za-z0-9._@*-]{1,128}", one)


def test_names_of_a_site_share_certificates_by_choice() -> None:
    """With "per-site" as few as the CA's limit allows; addresses apart; the local CA as always."""
    shared = CertificateOptions(grouping="per-site", profile="tlsserver")
    names = (*(f"a{number}.com" for number in range(30)), "8.8.8.8", "localhost")
    specs = plan_certificates([Site(names=names, certificate=shared)], set(names), all_public=False)
    assert [len(spec.names) for spec in specs] == [25, 5, 1, 1]
    assert [spec.authority for spec in specs] == ["public", "public", "public", "local"]
    classic = CertificateOptions(grouping="per-site")
    [spec] = plan_certificates([Site(names=names[:30], certificate=classic)], set(names[:30]), all_public=False)
    assert spec.options == classic


def test_another_key_type_lives_beside_the_first() -> None:
    """Its directory differs; that of P-256 certificates never changes."""
    spec = CertificateSpec(("example.com",), "public", CertificateOptions(key_type="rsa2048"))
    assert spec.directory != CertificateSpec(("example.com",), "public").directory
    assert CertificateSpec(("example.com",), "public").directory == "example.com-cd581059"
