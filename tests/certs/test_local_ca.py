"""The local CA and the placeholder."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from edge.certs.acceptance import accept_chain, server_context
from edge.certs.chain import parse_chain, read_leaf
from edge.certs.issuer import IssueFailed
from edge.certs.journal import open_journal
from edge.certs.local_ca import ROOT_CERTIFICATE, LocalIssuer
from edge.certs.placeholder import make_placeholder
from tests.certs.fakes import MemoryStorage, RecordingPublisher, fail_on
from tests.certs.virtual_time import START

DAY = 86400.0
NAMES = ("localhost", "*.app.test", "*.test", "127.0.0.1", "::1")


def issue(storage: MemoryStorage, now: float = START) -> tuple[bytes, bytes]:
    """(chain, key) from the local CA on this storage."""
    journal = open_journal(storage, "x", NAMES, "local CA", finished_key=None)
    issuer = LocalIssuer(storage, lambda: now)
    publisher = RecordingPublisher(lambda: now)
    work = issuer.issue(NAMES, journal, publisher, replaces=None, progress=lambda _phase: None)
    return asyncio.run(work), journal.key


def root_of(storage: MemoryStorage) -> x509.Certificate:
    return parse_chain(storage.files[ROOT_CERTIFICATE])[0]


def test_a_leaf_is_accepted_and_lasts_a_week() -> None:
    """For host names, wildcards and addresses alike, even beside a wildcard that no client accepts; without the root."""
    storage = MemoryStorage()
    chain, key = issue(storage)
    pem, leaf = accept_chain(chain, key, NAMES, START)
    assert 7 * DAY <= leaf.lifetime < 7.1 * DAY
    assert len(parse_chain(pem)) == 1


def test_the_root_is_made_once_and_signs_everything() -> None:
    """Who has imported it is never asked again."""
    storage = MemoryStorage()
    first, _ = issue(storage)
    root = root_of(storage)
    second, _ = issue(storage.survivor(), START + 100 * DAY)
    for chain in (first, second):
        parse_chain(chain)[0].verify_directly_issued_by(root)
    constraints = root.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)


def test_a_client_that_trusts_the_root_connects() -> None:
    """The strictest verification of OpenSSL, with nothing but root.pem."""
    storage = MemoryStorage()
    chain, key = issue(storage)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VerifyFlags(0x200000)  # any time of day
    client.load_verify_locations(cadata=storage.files[ROOT_CERTIFICATE].decode())
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="x.app.test")
    far = server_context(chain, key).wrap_bio(to_server, to_client, server_side=True)
    for end in (near, far, near):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert near.getpeercert(binary_form=True) == parse_chain(chain)[0].public_bytes(Encoding.DER)


@pytest.mark.parametrize("file", ["root.pem", "root-key.pem"])
def test_a_damaged_root_is_put_aside(file: str) -> None:
    """A new one is made; the old files are kept for whoever wants to know."""
    storage = MemoryStorage()
    issue(storage)
    old = root_of(storage)
    storage.files[f"local-ca/{file}"] = b"damaged"
    issue(storage)
    assert root_of(storage) != old
    assert "local-ca" in storage.quarantined


def test_a_root_at_its_end_is_replaced() -> None:
    """No leaf outlives its root."""
    storage = MemoryStorage()
    issue(storage)
    old = root_of(storage)
    issue(storage, START + 3649 * DAY)
    assert root_of(storage) != old


def test_a_full_disk_is_a_failed_attempt() -> None:
    """The root is on disk before anything is signed with it."""
    storage = MemoryStorage()
    storage.before = fail_on("store_directory", "local-ca")
    with pytest.raises(IssueFailed, match="could not be saved"):
        issue(storage)


def test_another_process_at_work_is_a_failed_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two roots would be one too many."""
    monkeypatch.setattr("edge.certs.local_ca.LOCK_TRIES", 1)
    storage = MemoryStorage()
    storage.locked.add("local-ca")
    with pytest.raises(IssueFailed, match="another process"):
        issue(storage)


def test_there_is_no_renewal_advice() -> None:
    """The manager renews by lifetime."""
    answer = asyncio.run(LocalIssuer(MemoryStorage(), lambda: START).renewal_info(b""))
    assert answer.info is None


def test_a_placeholder_serves_its_names_for_an_hour() -> None:
    """OpenSSL takes it; it says what it is."""
    placeholder = make_placeholder(NAMES, START)
    server_context(placeholder.chain, placeholder.key)
    leaf = read_leaf(placeholder.chain)
    assert set(leaf.names) == set(NAMES)
    assert (placeholder.kind, leaf.not_after) == ("placeholder", START + 3600)
