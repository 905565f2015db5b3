"""The local CA: certificates for names that no public CA certifies (localhost, *.test, private addresses).

One root per storage, made when first needed; whoever wants browsers to be quiet imports `local-ca/root.pem` once. Its key
never leaves the storage directory. Leaves last a week and are renewed like any other certificate.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.certs.chain import UNREADABLE, parse_chain, public_key_of
from edge.certs.issuer import ErrorClass, IssueFailed, Journal, Progress, RenewalAnswer
from edge.certs.publisher import Publisher
from edge.config.acme_schema import USUAL, CertificateOptions
from edge.errors import CertificateError, StorageError
from edge.storage.contract import Storage

DIRECTORY = "local-ca"
ROOT_CERTIFICATE = f"{DIRECTORY}/root.pem"
"""Storage key of the certificate to import into browsers; below a FileSystemStorage it is the path as well."""

ROOT_LIFETIME = timedelta(days=3650)
LEAF_LIFETIME = timedelta(days=7)
"""Short, so that renewal is something every developer's machine sees working."""

ROOT_REPLACED_BEFORE = timedelta(days=30)
"""A root this near its end is replaced; leaves must not outlive it."""

LOCK_TRIES = 30
"""Seconds to wait for another process that makes the root; it needs milliseconds, and a lease that it leaves behind some ten."""

BACKDATED = timedelta(minutes=5)
"""Virtual machines and containers disagree with their host about the time."""


class _Root:
    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self.key = key


class LocalIssuer:
    """Implements `issuer.Issuer` without any network."""

    name = "local CA"

    def __init__(self, storage: Storage, wall_clock: Callable[[], float], lifetime: timedelta = LEAF_LIFETIME) -> None:
        self._storage = storage
        self._wall_clock = wall_clock
        self._lifetime = lifetime

    async def issue(
        self,
        names: tuple[str, ...],
        journal: Journal,
        publisher: Publisher,
        *,
        replaces: bytes | None,
        progress: Progress,
        options: CertificateOptions = USUAL,
    ) -> bytes:
        """A fresh leaf for the journal's request; the root is left out of the chain."""
        progress("order")
        request = x509.load_der_x509_csr(journal.csr)
        leaf = self._sign(request, await self._root())
        progress("issued")
        return leaf.public_bytes(Encoding.PEM)

    async def rehearse(
        self, names: tuple[str, ...], publisher: Publisher, *, options: CertificateOptions = USUAL
    ) -> bool:
        """Nothing is proved here."""
        return False

    async def renewal_info(self, chain: bytes) -> RenewalAnswer:
        """No advice: the manager renews by lifetime."""
        return RenewalAnswer(None, self._wall_clock() + timedelta(days=1).total_seconds())

    async def revoke(self, chain: bytes, reason: int) -> None:
        """Nobody would hear of it."""
        detail = "the local CA publishes no revocations; its certificates last a week"
        raise IssueFailed(ErrorClass.POLICY, "revoke", detail, hint="edge certs renew --force replaces it")

    async def close(self) -> None:
        """Nothing to release."""

    def _sign(self, request: x509.CertificateSigningRequest, root: _Root) -> x509.Certificate:
        now = self._now()
        san = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(root.certificate.subject)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATED)
            .not_valid_after(now + self._lifetime)
            .add_extension(san, critical=True)  # the subject is empty (RFC 5280 §4.2.1.6)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=False)
            .add_extension(authority, critical=False)
            .sign(root.key, hashes.SHA256())
        )

    async def _root(self) -> _Root:
        for _ in range(LOCK_TRIES):
            with self._storage.lock(DIRECTORY) as held:
                if held:
                    return self._load_root(held) or self._make_root(held)
            await asyncio.sleep(1.0)
        raise IssueFailed(ErrorClass.LOCAL, "order", "another process keeps the local CA to itself")

    def _load_root(self, held: Storage) -> _Root | None:
        if not self._storage.list(DIRECTORY):
            return None
        try:
            return self._read_root()
        except CertificateError as exc:
            held.quarantine(DIRECTORY, str(exc))
            return None

    def _read_root(self) -> _Root:
        key_pem = self._storage.load(f"{DIRECTORY}/root-key.pem") or b""
        certificate = parse_chain(self._storage.load(ROOT_CERTIFICATE) or b"")[0]
        public = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if public_key_of(key_pem) != public:
            raise CertificateError("the key of the local CA does not fit its certificate")
        if certificate.not_valid_after_utc < self._now() + ROOT_REPLACED_BEFORE:
            raise CertificateError("the local CA has come to its end")
        try:
            key = load_pem_private_key(key_pem, password=None)
        except UNREADABLE as exc:
            raise CertificateError("the key of the local CA cannot be read") from exc
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise CertificateError("the key of the local CA is of an unknown kind")
        return _Root(certificate, key)

    def _make_root(self, held: Storage) -> _Root:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._root_certificate(key)
        key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        files = {"root-key.pem": key_pem, "root.pem": certificate.public_bytes(Encoding.PEM)}
        try:
            held.store_directory(DIRECTORY, files)
        except StorageError as exc:
            raise IssueFailed(ErrorClass.LOCAL, "order", f"the local CA could not be saved: {exc}") from exc
        return _Root(certificate, key)

    def _root_certificate(self, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        now = self._now()
        # The random part keeps roots of several machines apart in a browser's list.
        title = f"edge local CA {now:%Y-%m-%d} {secrets.token_hex(4)}"
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATED)
            .not_valid_after(now + ROOT_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_signs_certificates(), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall_clock(), UTC)


def _signs_certificates() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
