"""A self-signed certificate that stands in until the real one exists, so that port 443 answers from the first second.

It lasts an hour and is made anew; browsers warn about it, which is right. It never touches the disk.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge.certs.journal import subject_alternative_name
from edge.tls.certified_key import CertifiedKey

LIFETIME = timedelta(hours=1)
REFRESHED_AFTER = LIFETIME.total_seconds() / 2
"""Seconds; early enough that nobody meets an expired one."""


def make_placeholder(names: tuple[str, ...], now: float) -> CertifiedKey:
    """A certified key of kind "placeholder" for `names`, valid for one hour from `now` (POSIX time)."""
    key = ec.generate_private_key(ec.SECP256R1())
    start = datetime.fromtimestamp(now, UTC)
    nobody = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "edge placeholder")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(nobody)
        .issuer_name(nobody)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - timedelta(minutes=5))
        .not_valid_after(start + LIFETIME)
        .add_extension(subject_alternative_name(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    return CertifiedKey(
        names=names,
        chain=certificate.public_bytes(Encoding.PEM),
        key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        serial=f"{certificate.serial_number:x}",
        not_after=certificate.not_valid_after_utc.timestamp(),
        kind="placeholder",
    )
