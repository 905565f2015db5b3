"""How a certificate is named in ARI (RFC 9773 §4.1): key identifier of its issuer, a dot, its serial number."""

from __future__ import annotations

from cryptography import x509
from josepy.b64 import b64encode


def certificate_id(chain: bytes) -> str:
    """The identifier of the leaf of a PEM chain, or "" when it names no issuer key or is no certificate."""
    try:
        leaf = x509.load_pem_x509_certificate(chain)
        extension = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return ""
    issuer = extension.value.key_identifier
    serial = leaf.serial_number
    if issuer is None or serial <= 0:
        return ""
    # The content of a DER INTEGER: big-endian with room for the sign bit, hence a leading 00 for some.
    return f"{_base64(issuer)}.{_base64(serial.to_bytes(serial.bit_length() // 8 + 1, 'big'))}"


def _base64(value: bytes) -> str:
    return b64encode(value).decode()
