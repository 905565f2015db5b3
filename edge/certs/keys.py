"""Private keys of certificates, by the type that the configuration asks for."""

from __future__ import annotations

from typing import Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge.config.acme_schema import KeyType

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_CURVES: Final[dict[str, type[ec.EllipticCurve]]] = {"p256": ec.SECP256R1, "p384": ec.SECP384R1}
_BITS: Final = {"rsa2048": 2048, "rsa3072": 3072, "rsa4096": 4096}


def make_key(key_type: KeyType) -> PrivateKey:
    """A new key. RSA with 4096 bits takes a second or two."""
    curve = _CURVES.get(key_type)
    if curve is not None:
        return ec.generate_private_key(curve())
    return rsa.generate_private_key(public_exponent=65537, key_size=_BITS[key_type])


def key_pem(key: PrivateKey) -> bytes:
    """PKCS #8 in PEM, without a pass phrase."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
