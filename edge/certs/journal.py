"""The pending entry of one certificate: what must survive a crash so that no order is paid for twice.

    certs/NAME/pending/privkey.pem   key of the certificate to be, before the first request to a CA
    certs/NAME/pending/csr.der       the request for that key and all names
    certs/NAME/pending/order.json    CA, order URL, whether finalize may have been sent
    certs/NAME/pending/reserve       32 KiB of nothing, freed before the certificate is saved: a disk that fills up
                                     during the order then still has room for the result

The entry appears in one atomic step and disappears only after the certificate is safe in its generation. Storing the reserve
again at the start of each attempt also proves that the disk takes writes, before the CA is asked for anything.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Callable

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from edge.certs.chain import UNREADABLE, public_key_of
from edge.certs.keys import PrivateKey, key_pem, make_key
from edge.config.acme_schema import KeyType
from edge.errors import CertificateError, StorageError
from edge.storage.contract import Storage

RESERVE = bytes(32 * 1024)
"""More than an accepted chain and its key can take."""


class OrderRecord(Struct, frozen=True):
    """order.json. `ca` is the issuer's name: an order URL means nothing to another CA."""

    ca: str
    order_url: str = ""
    finalizing: bool = False


class PendingJournal:
    """Implements `issuer.Journal` on storage. Made by `open_journal`."""

    def __init__(self, storage: Storage, directory: str, key: bytes, csr: bytes, record: OrderRecord) -> None:
        self._storage = storage
        self._directory = directory
        self._record = record
        self.key = key
        self.csr = csr
        self.order_url = record.order_url
        self.on_order: Callable[[], None] = lambda: None
        """Called when the CA has made a new order."""

    def order_created(self, url: str) -> None:
        """Remember the order durably; see the contract."""
        self._write(OrderRecord(self._record.ca, url))
        self.on_order()

    def finalizing(self) -> None:
        """Remember that a certificate may exist from here on."""
        self._write(msgspec.structs.replace(self._record, finalizing=True))

    def order_dropped(self) -> None:
        """Forget the order, keep key and CSR."""
        self._write(OrderRecord(self._record.ca))

    def release_reserve(self) -> None:
        """Give the reserved space back, right before the certificate is saved."""
        self._storage.delete(f"{self._directory}/reserve")

    def _write(self, record: OrderRecord) -> None:
        self._storage.store(f"{self._directory}/order.json", msgspec.json.encode(record))
        self._record = record
        self.order_url = record.order_url


def open_journal(
    storage: Storage,
    certificate: str,
    names: tuple[str, ...],
    ca: str,
    *,
    finished_key: bytes | None,
    key_type: KeyType = "p256",
) -> PendingJournal:
    """The entry below `certs/CERTIFICATE/`, resumed or new, on a disk that has just proved to take writes.

    `finished_key` is the public key of the certificate now in service: an entry with that key is the leftover of an attempt
    that had succeeded. A damaged entry, or one for other names, is put aside. Raises: StorageError.
    """
    directory = pending_directory(certificate)
    journal = _resume(storage, directory, names, ca, finished_key)
    if journal is None:
        return _begin(storage, directory, names, ca, make_key(key_type))
    storage.store(f"{directory}/reserve", RESERVE)
    return journal


def pending_directory(certificate: str) -> str:
    """Storage key of the entry."""
    return f"certs/{certificate}/pending"


def has_order(storage: Storage, certificate: str) -> bool:
    """Whether the entry names an order that may be resumed. Anything unreadable is none."""
    try:
        value = storage.load(f"{pending_directory(certificate)}/order.json") or b"{}"
        return bool(msgspec.json.decode(value, type=OrderRecord).order_url)
    except (StorageError, msgspec.MsgspecError, UnicodeDecodeError):
        return False


def _begin(storage: Storage, directory: str, names: tuple[str, ...], ca: str, key: PrivateKey) -> PendingJournal:
    pem = key_pem(key)
    csr = _request(key, names)
    record = OrderRecord(ca)
    files = {"privkey.pem": pem, "csr.der": csr, "order.json": msgspec.json.encode(record), "reserve": RESERVE}
    storage.store_directory(directory, files)
    return PendingJournal(storage, directory, pem, csr, record)


def _request(key: PrivateKey, names: tuple[str, ...]) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(subject_alternative_name(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def subject_alternative_name(names: tuple[str, ...]) -> x509.SubjectAlternativeName:
    """The extension that lists host names and IP addresses."""
    return x509.SubjectAlternativeName([_general_name(name) for name in names])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _resume(
    storage: Storage, directory: str, names: tuple[str, ...], ca: str, finished_key: bytes | None
) -> PendingJournal | None:
    if not storage.list(directory):
        return None
    try:
        key, csr, record = _read(storage, directory, names)
    except CertificateError as exc:
        storage.quarantine(directory, str(exc))
        return None
    if public_key_of(key) == finished_key:
        storage.delete(directory)
        return None
    if record.ca != ca:
        record = OrderRecord(ca)
        storage.store(f"{directory}/order.json", msgspec.json.encode(record))
    return PendingJournal(storage, directory, key, csr, record)


def _read(storage: Storage, directory: str, names: tuple[str, ...]) -> tuple[bytes, bytes, OrderRecord]:
    key = storage.load(f"{directory}/privkey.pem") or b""
    csr = storage.load(f"{directory}/csr.der") or b""
    order = storage.load(f"{directory}/order.json") or b""
    try:
        request = x509.load_der_x509_csr(csr)
        asked = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        requested_key = request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        record = msgspec.json.decode(order, type=OrderRecord)
    except (*UNREADABLE, msgspec.MsgspecError) as exc:
        raise CertificateError(f"the pending entry cannot be read: {exc}") from exc
    if requested_key != public_key_of(key) or set(asked) != set(subject_alternative_name(names)):
        raise CertificateError("the pending entry is for another key or other names")
    return key, csr, record


def discard_journal(storage: Storage, certificate: str) -> None:
    """The certificate is safe: the entry has done its work. A failure is harmless, `open_journal` recognises the leftover."""
    with contextlib.suppress(StorageError):
        storage.delete(pending_directory(certificate))
