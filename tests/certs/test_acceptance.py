"""What may go live."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from edge.certs.acceptance import accept_chain
from edge.certs.chain import parse_chain
from edge.certs.issuer import ErrorClass, IssueFailed
from edge.certs.placeholder import make_placeholder
from tests.certs.fakes import FakeCA
from tests.certs.material import DAY, issue, new_key
from tests.certs.virtual_time import START

NAMES = ("example.com", "*.example.com", "192.0.2.7", "2001:db8::7")
CHAIN, KEY = issue(*NAMES)


def refusal(chain: bytes, key: bytes = KEY, names: tuple[str, ...] = NAMES, now: float = START) -> IssueFailed:
    with pytest.raises(IssueFailed) as caught:
        accept_chain(chain, key, names, now)
    assert caught.value.phase == "check"
    return caught.value


def test_a_good_chain_passes_as_it_is() -> None:
    """Host names, wildcards and addresses have all been tried in a handshake."""
    pem, leaf = accept_chain(CHAIN, KEY, NAMES, START)
    assert parse_chain(pem) == parse_chain(CHAIN)
    assert set(leaf.names) == set(NAMES)


def test_more_names_than_asked_for_are_fine() -> None:
    """Some CAs add the www form."""
    accept_chain(CHAIN, KEY, ("example.com",), START)


def test_a_missing_name_is_refused() -> None:
    """And named."""
    assert "lacks new.example.com" in refusal(CHAIN, names=(*NAMES, "new.example.com")).detail


def test_another_key_is_refused() -> None:
    """The order is dead: a new one is made."""
    failed = refusal(CHAIN, key=new_key()[1])
    assert "another key" in failed.detail
    assert failed.order_is_dead


@pytest.mark.parametrize(
    "garbage", [b"", b"hello", CHAIN[:300], b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_chain_is_refused(garbage: bytes) -> None:
    """Whatever the CA sent."""
    assert refusal(garbage).error_class is ErrorClass.ORDER


@given(st.integers(0, len(CHAIN) - 1), st.binary(min_size=1, max_size=3))
def test_a_changed_chain_is_refused_or_good(position: int, junk: bytes) -> None:
    """No damage raises anything but a refusal."""
    try:
        accept_chain(CHAIN[:position] + junk + CHAIN[position + len(junk) :], KEY, NAMES, START)
    except IssueFailed as exc:
        assert exc.phase == "check"  # noqa: PT017  the other outcome is fine too


def test_a_chain_in_the_wrong_order_is_refused() -> None:
    """Each certificate must be signed by the next."""
    leaf, intermediate = (certificate.public_bytes(Encoding.PEM) for certificate in parse_chain(CHAIN))
    other = FakeCA(lambda: START, name="Other CA").intermediate
    assert "not signed by the next" in refusal(leaf + other).detail
    refusal(intermediate + leaf)


def test_an_oversized_chain_is_refused() -> None:
    """32 KiB."""
    assert "bytes" in refusal(CHAIN * 40).detail


def test_a_self_signed_leaf_is_refused() -> None:
    """No public CA issues such."""
    placeholder = make_placeholder(("example.com",), START)
    assert "self-signed" in refusal(placeholder.chain, placeholder.key, ("example.com",)).detail


def test_a_root_at_the_end_is_left_out() -> None:
    """Clients have it or do not trust it."""
    root_key, _ = new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Fake Root")])
    root = _certificate(name, name).public_key(root_key.public_key()).sign(root_key, hashes.SHA256())
    key, key_pem = new_key()
    san = x509.SubjectAlternativeName([x509.DNSName("example.com")])
    builder = _certificate(x509.Name([]), name).public_key(key.public_key()).add_extension(san, critical=True)
    leaf = builder.sign(root_key, hashes.SHA256())
    chain = leaf.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM)
    pem, _ = accept_chain(chain, key_pem, ("example.com",), START)
    assert parse_chain(pem) == [leaf]


def test_a_certificate_for_clients_only_is_refused() -> None:
    """serverAuth, or no purpose at all."""
    issuer_key, _ = new_key()
    key, key_pem = new_key()
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CA")])
    leaf = (
        _certificate(x509.Name([]), issuer)
        .public_key(key.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("example.com")]), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    assert "serverAuth" in refusal(leaf.public_bytes(Encoding.PEM), key_pem, ("example.com",)).detail


def test_times_are_judged_by_our_clock() -> None:
    """Five minutes ahead are fine; more is our clock's fault and keeps the order; an ending certificate is refused."""
    accept_chain(CHAIN, KEY, NAMES, START - 299)
    early = refusal(CHAIN, now=START - 3600)
    assert (early.error_class, early.order_is_dead) == (ErrorClass.LOCAL, False)
    assert "clock" in early.hint
    assert refusal(CHAIN, now=START + 90 * DAY - 599).order_is_dead
    short, key = issue(*NAMES, lifetime=60.0)
    accept_chain(short, key, NAMES, START + 10)
    assert refusal(short, key, now=START + 50).order_is_dead


def _certificate(subject: x509.Name, issuer: x509.Name) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.fromtimestamp(START, UTC))
        .not_valid_after(datetime.fromtimestamp(START + 90 * DAY, UTC))
    )
