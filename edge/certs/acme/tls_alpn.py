"""The certificate that answers a tls-alpn-01 challenge (RFC 8737 §3)."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, ObjectIdentifier

from edge.certs.publisher import TLSALPN01

ACME_IDENTIFIER = ObjectIdentifier("1.3.6.1.5.5.7.1.31")
"""id-pe-acmeIdentifier (RFC 8737 §6.1)."""

_LIFETIME = timedelta(days=7)
_OCTET_STRING_OF_32_BYTES = b"\x04\x20"


def tls_alpn_answer(name: str, key_authorization: str, now: float) -> TLSALPN01:
    """A self-signed certificate for exactly this name or IP address, with the hash of the key authorization.

    The server name of an IP address is its reverse form (RFC 8738 §6): SNI cannot carry an address."""
    address = _address(name)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tls-alpn-01 challenge")])
    key = ec.generate_private_key(ec.SECP256R1())
    moment = datetime.fromtimestamp(now, UTC)
    digest = hashlib.sha256(key_authorization.encode()).digest()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - _LIFETIME)  # the CA does not check times, and clocks differ
        .not_valid_after(moment + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName([address or x509.DNSName(name)]), critical=False)
        .add_extension(
            x509.UnrecognizedExtension(ACME_IDENTIFIER, _OCTET_STRING_OF_32_BYTES + digest),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    return TLSALPN01(
        server_name=address.value.reverse_pointer if address else name,
        chain=certificate.public_bytes(serialization.Encoding.PEM),
        key=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )


def _address(name: str) -> x509.IPAddress | None:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return None
