"""Certificates for tests of single parts, without any clock but a number."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge.certs.chain import read_leaf
from edge.certs.journal import open_journal
from edge.certs.store import Stored
from tests.certs.fakes import FakeCA, MemoryStorage
from tests.certs.virtual_time import START

DAY = 86400.0


def issue(*names: str, ca: FakeCA | None = None, now: float = START, lifetime: float = 90 * DAY) -> tuple[bytes, bytes]:
    """(chain, key) from a fake CA, valid from `now`."""
    ca = ca or FakeCA(lambda: now, lifetime)
    journal = open_journal(MemoryStorage(), "x", names or ("example.com",), ca.name, finished_key=None)
    url = ca.new_order(names)
    ca.finalize(url, journal.csr)
    chain = ca.orders[url].chain
    assert chain
    return chain, journal.key


def stored(*names: str, now: float = START, lifetime: float = 90 * DAY) -> Stored:
    """A certificate as the store keeps it."""
    chain, key = issue(*names, now=now, lifetime=lifetime)
    return Stored(key, chain, read_leaf(chain), "Fake CA")


def new_key() -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    """A private key and its PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
