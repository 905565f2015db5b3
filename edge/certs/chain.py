"""What a PEM certificate chain and a PEM private key say, read once.

Everything else in this room works with the frozen `Leaf` and never touches X.509 again, except `acceptance` (which judges
a chain) and `local_ca`, `placeholder`, `journal` (which make certificates and requests).
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from msgspec import Struct

from edge.errors import CertificateError

UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.ExtensionNotFound)
"""What cryptography raises for bytes that are no certificate or no key."""


class Leaf(Struct, frozen=True):
    """The facts of an end-entity certificate. Times are POSIX seconds; `public_key` is its DER SubjectPublicKeyInfo."""

    names: tuple[str, ...]
    not_before: float
    not_after: float
    serial: str
    public_key: bytes

    @property
    def lifetime(self) -> float:
        """Seconds from `not_before` to `not_after`; the only source of any renewal number."""
        return self.not_after - self.not_before


def parse_chain(pem: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file, in its order, at least one. Raises: CertificateError."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except UNREADABLE as exc:
        raise CertificateError(f"no readable PEM certificate chain: {exc}") from exc


def read_leaf(pem: bytes) -> Leaf:
    """The facts of the first certificate of a chain. Raises: CertificateError, also when it names nothing (no SAN)."""
    leaf = parse_chain(pem)[0]
    try:
        return Leaf(
            names=names_of(leaf),
            not_before=leaf.not_valid_before_utc.timestamp(),
            not_after=leaf.not_valid_after_utc.timestamp(),
            serial=f"{leaf.serial_number:x}",
            public_key=leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        )
    except x509.ExtensionNotFound as exc:
        raise CertificateError("the certificate has no subject alternative name; browsers refuse it") from exc
    except UNREADABLE as exc:
        raise CertificateError(f"the leaf certificate cannot be used: {exc}") from exc


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """DNS names in lower case, then IP addresses in canonical form (RFC 5280 §4.2.1.6)."""
    san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    hosts = (name.lower() for name in san.get_values_for_type(x509.DNSName))
    return (*hosts, *(str(address) for address in san.get_values_for_type(x509.IPAddress)))


def public_key_of(key_pem: bytes) -> bytes:
    """DER SubjectPublicKeyInfo of a PEM private key. Raises: CertificateError; its words never show the key."""
    try:
        key = load_pem_private_key(key_pem, password=None)
    except UNREADABLE as exc:
        encrypted = b"ENCRYPTED" in key_pem
        problem = "the private key is encrypted" if encrypted else "no readable PEM private key"
        raise CertificateError(problem) from exc
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def covers_all(leaf: Leaf, names: tuple[str, ...]) -> bool:
    """Whether every one of `names` (wildcards compared literally) is among the leaf's names, which may be more."""
    return set(names) <= set(leaf.names)
