"""What a CA's certificate revocation list says about our own certificates (RFC 5280 §5). Pure: bytes in, facts out.

A list counts only if it is this CA's, is signed with the key that signed the certificate, is meant for the place where it was
found (or a list of another shard, which never mentions ours, would pass for it), and is up to date.
"""

from __future__ import annotations

from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec import Struct

from edge.certs.chain import UNREADABLE, parse_chain
from edge.errors import CertificateError

CLOCK_TOLERANCE = 300.0
"""Seconds by which clocks may differ."""

_UNSUPPORTED = (*UNREADABLE, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, x509.InvalidVersion)


class Source(Struct, frozen=True):
    """Where the list for a certificate is, and who signs it; `issuer` is the CA's certificate in DER."""

    url: str
    issuer: bytes


class RevocationList(Struct, frozen=True):
    """What a list says: hexadecimal serial → reason, for those that were asked about; POSIX time of the next list."""

    revoked: dict[str, str]
    next_update: float


def source_of(chain: bytes) -> Source | None:
    """Where to look for the leaf of a PEM chain; None when it does not say, or the CA's certificate is not in the chain.

    Raises: CertificateError for a chain that cannot be read."""
    leaf, *above = parse_chain(chain)
    try:
        points = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except _UNSUPPORTED:
        return None
    urls = (
        name.value for point in points for name in point.full_name or () if not point.reasons and not point.crl_issuer
    )
    url = next((each for each in urls if isinstance(each, str) and each.startswith(("http://", "https://"))), None)
    if url is None or not above or above[0].subject != leaf.issuer:
        return None
    return Source(url, above[0].public_bytes(Encoding.DER))


def read_list(body: bytes, source: Source, serials: Iterable[str], now: float) -> RevocationList:
    """What the list says about `serials`. Raises: CertificateError when it cannot be believed, with the reason."""
    try:
        found = x509.load_der_x509_crl(body)
        _check(found, source, now)
        entries = {serial: found.get_revoked_certificate_by_serial_number(int(serial, 16)) for serial in serials}
        reasons = {serial: _reason(entry) for serial, entry in entries.items() if entry is not None}
    except _UNSUPPORTED as exc:
        raise CertificateError(f"no readable revocation list ({exc})") from exc
    assert found.next_update_utc is not None  # _check has seen it
    return RevocationList(reasons, found.next_update_utc.timestamp())


def _check(found: x509.CertificateRevocationList, source: Source, now: float) -> None:
    issuer = x509.load_der_x509_certificate(source.issuer)
    if found.issuer != issuer.subject:
        raise CertificateError("the revocation list is another CA's")
    if not found.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]  # other keys raise TypeError
        raise CertificateError("the signature of the revocation list is wrong")
    if found.next_update_utc is None or found.next_update_utc.timestamp() < now - CLOCK_TOLERANCE:
        raise CertificateError("the revocation list is out of date")
    if found.last_update_utc.timestamp() > now + CLOCK_TOLERANCE:
        raise CertificateError("the revocation list is from the future: is this machine's clock right?")
    _check_scope(found, source.url)


def _check_scope(found: x509.CertificateRevocationList, url: str) -> None:
    """RFC 5280 §5.2.5, §6.3.3 (b): the list must be for this place, and for certificates of servers."""
    for extension in found.extensions:
        if isinstance(extension.value, x509.IssuingDistributionPoint):
            point = extension.value
            if point.full_name and url not in [name.value for name in point.full_name]:
                raise CertificateError("the revocation list is for other certificates of this CA")
            if point.only_contains_ca_certs or point.only_contains_attribute_certs or point.indirect_crl:
                raise CertificateError("the revocation list is not for certificates of servers")
        elif extension.critical:
            raise CertificateError(
                f"the revocation list has a critical extension that edge does not know, {extension.oid}"
            )


def _reason(entry: x509.RevokedCertificate) -> str:
    try:
        return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
    except _UNSUPPORTED:
        return "no reason given"
