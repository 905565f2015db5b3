"""The pending entry of a certificate."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from edge.certs.chain import public_key_of
from edge.certs.journal import PendingJournal, discard_journal, open_journal
from edge.config.acme_schema import KeyType
from edge.errors import StorageError
from tests.certs.fakes import MemoryStorage, fail_on

NAMES = ("example.com", "192.0.2.1")
PENDING = "certs/x/pending"


def opened(storage: MemoryStorage, ca: str = "CA", names: tuple[str, ...] = NAMES) -> PendingJournal:
    return open_journal(storage, "x", names, ca, finished_key=None)


def test_key_and_request_are_on_disk_before_anything_else() -> None:
    """A new entry has a P-256 key, a request for all names, room for the result, and no order."""
    storage = MemoryStorage()
    journal = opened(storage)
    request = x509.load_der_x509_csr(journal.csr)
    san = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert san.get_values_for_type(x509.DNSName) == ["example.com"]
    assert [str(ip) for ip in san.get_values_for_type(x509.IPAddress)] == ["192.0.2.1"]
    assert request.is_signature_valid
    assert journal.order_url == ""
    assert storage.list(PENDING) == ["csr.der", "order.json", "privkey.pem", "reserve"]
    assert len(storage.files[f"{PENDING}/reserve"]) == 32 * 1024


def test_an_entry_is_resumed_with_everything_it_had() -> None:
    """The same key, request and order, whatever happened in between; the reserve is back."""
    storage = MemoryStorage()
    first = opened(storage)
    first.order_created("https://ca/order/1")
    first.finalizing()
    first.release_reserve()
    second = opened(storage)
    assert (second.key, second.csr, second.order_url) == (first.key, first.csr, "https://ca/order/1")
    assert f"{PENDING}/reserve" in storage.files


def test_a_dropped_order_leaves_key_and_request() -> None:
    """The next order uses them again."""
    storage = MemoryStorage()
    first = opened(storage)
    first.order_created("https://ca/order/1")
    first.order_dropped()
    assert first.order_url == ""
    assert (opened(storage).key, opened(storage).order_url) == (first.key, "")


def test_an_order_of_another_ca_is_forgotten() -> None:
    """Its URL means nothing here."""
    storage = MemoryStorage()
    first = opened(storage, "CA")
    first.order_created("https://ca/order/1")
    second = opened(storage, "Other CA")
    assert (second.key, second.order_url) == (first.key, "")
    assert opened(storage, "CA").order_url == ""


@pytest.mark.parametrize("file", ["privkey.pem", "csr.der", "order.json"])
@pytest.mark.parametrize("damage", [b"", b"\x00garbage"])
def test_a_damaged_entry_is_put_aside(file: str, damage: bytes) -> None:
    """It must never block renewals; nothing of it is deleted."""
    storage = MemoryStorage()
    first = opened(storage)
    storage.files[f"{PENDING}/{file}"] = damage
    assert opened(storage).key != first.key
    assert PENDING in storage.quarantined


def test_an_entry_with_another_key_or_for_other_names_is_put_aside() -> None:
    """A certificate for it would be refused after it had been paid for."""
    storage = MemoryStorage()
    opened(storage)
    opened(storage, names=("other.example.com",))
    assert PENDING in storage.quarantined


def test_the_leftover_of_a_finished_attempt_is_recognised() -> None:
    """A crash between saving and discarding must not lead to the same certificate again."""
    storage = MemoryStorage()
    first = opened(storage)
    second = open_journal(storage, "x", NAMES, "CA", finished_key=public_key_of(first.key))
    assert second.key != first.key
    assert not storage.quarantined


def test_a_disk_that_takes_no_writes_is_noticed_before_the_order() -> None:
    """Also when an entry is only resumed."""
    storage = MemoryStorage()
    opened(storage)
    storage.before = fail_on("store")
    with pytest.raises(StorageError):
        opened(storage)


def test_what_could_not_be_written_is_not_believed() -> None:
    """The order URL in memory is the one on disk."""
    storage = MemoryStorage()
    journal = opened(storage)
    storage.before = fail_on("store")
    with pytest.raises(StorageError):
        journal.order_created("https://ca/order/1")
    assert journal.order_url == ""


def test_discarding_never_fails() -> None:
    """The certificate is safe already."""
    storage = MemoryStorage()
    opened(storage)
    storage.before = fail_on("delete")
    discard_journal(storage, "x")
    storage.before = lambda _operation, _key: None
    discard_journal(storage, "x")
    assert not storage.list(PENDING)


@pytest.mark.parametrize("key_type", ["p384", "rsa2048"])
def test_the_key_is_of_the_type_that_was_asked_for(key_type: KeyType) -> None:
    """And signs its request."""
    journal = open_journal(MemoryStorage(), "x", NAMES, "CA", finished_key=None, key_type=key_type)
    key = x509.load_der_x509_csr(journal.csr).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
    assert key.key_size == {"p384": 384, "rsa2048": 2048}[key_type]
    assert x509.load_der_x509_csr(journal.csr).is_signature_valid
