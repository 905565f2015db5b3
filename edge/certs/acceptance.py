"""Is this chain fit to go live? Everything a browser would refuse is found here, before anything is saved or served.

The facts first (key, names, times, purpose, signatures), then the proof: a TLS handshake in memory for each name, with
OpenSSL on both sides.
"""

from __future__ import annotations

import os
import ssl
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge.certs.chain import UNREADABLE, Leaf, covers_all, parse_chain, public_key_of, read_leaf
from edge.certs.identifiers import is_shallow_wildcard
from edge.certs.issuer import ErrorClass, IssueFailed
from edge.errors import CertificateError

LONGEST_CHAIN = 32 * 1024
"""Bytes. Real chains are under 8 KiB; a larger one would not fit the initial flight of any client's patience."""

CLOCK_TOLERANCE = 300.0
"""Seconds by which a certificate may start in the future: CAs and we have slightly different clocks."""

SHORTEST_USE, SHORTEST_SHARE = 600.0, 0.25
"""A certificate must have this many seconds or this share of its life left, whichever is less."""

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME: dates have been judged by our own clock already."""


def accept_chain(chain: bytes, key: bytes, names: tuple[str, ...], now: float) -> tuple[bytes, Leaf]:
    """The chain as it may be served (PEM, leaf first, a root at its end removed) and the facts of its leaf.

    A superset of `names` is fine: some CAs add the www form. Raises: IssueFailed in phase "check".
    """
    if len(chain) > LONGEST_CHAIN:
        raise _refused(f"the chain has {len(chain)} bytes")
    try:
        certificates = parse_chain(chain)
        leaf = read_leaf(chain)
        ours = public_key_of(key)
        _check_leaf(certificates[0], leaf, ours, names)
        _check_times(leaf, now)
        served = _without_root(certificates)
        _check_signatures(served)
        pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in served)
        _check_handshakes(pem, key, served[-1], names)
    except IssueFailed:
        raise
    except CertificateError as exc:
        raise _refused(str(exc)) from exc
    except ValueError as exc:  # cryptography reads parts of a certificate only when they are asked for
        raise _refused("a certificate of the chain cannot be read") from exc
    return pem, leaf


def _refused(detail: str) -> IssueFailed:
    return IssueFailed(ErrorClass.ORDER, "check", detail, order_is_dead=True)


def _check_leaf(certificate: x509.Certificate, leaf: Leaf, ours: bytes, names: tuple[str, ...]) -> None:
    if leaf.public_key != ours:
        raise CertificateError("the certificate is for another key than the one requested")
    if not covers_all(leaf, names):
        raise CertificateError("the certificate lacks " + ", ".join(sorted(set(names) - set(leaf.names))))
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return  # no extension means any purpose (RFC 5280 §4.2.1.12)
    if ExtendedKeyUsageOID.SERVER_AUTH not in usage:
        raise CertificateError("the certificate is not meant for servers (no serverAuth purpose)")


def _check_times(leaf: Leaf, now: float) -> None:
    if leaf.not_before > now + CLOCK_TOLERANCE:
        ahead = int(leaf.not_before - now)
        detail = f"the certificate becomes valid in {ahead} s: this machine's clock is behind"
        # The order is good and will be again once the clock is right, so it is kept.
        raise IssueFailed(ErrorClass.LOCAL, "check", detail, hint="set the clock of this machine (NTP)")
    if leaf.not_after <= now + min(SHORTEST_USE, leaf.lifetime * SHORTEST_SHARE):
        raise CertificateError("the certificate is expired or about to; is this machine's clock right?")


def _without_root(certificates: list[x509.Certificate]) -> list[x509.Certificate]:
    """Clients have the root or do not trust it; sending it only costs bytes."""
    if certificates[0].issuer == certificates[0].subject:
        raise CertificateError("the certificate is self-signed")
    last = certificates[-1]
    return certificates[:-1] if last.issuer == last.subject else certificates


def _check_signatures(certificates: list[x509.Certificate]) -> None:
    for lower, upper in pairwise(certificates):
        try:
            lower.verify_directly_issued_by(upper)
        except (*UNREADABLE, InvalidSignature) as exc:
            raise CertificateError("the chain is broken: a certificate is not signed by the next one") from exc


def _check_handshakes(chain: bytes, key: bytes, anchor: x509.Certificate, names: tuple[str, ...]) -> None:
    try:
        server = server_context(chain, key)
        client = _client_context(anchor)
        for name in names:
            if is_shallow_wildcard(name):
                continue  # no certificate in the world would pass; the other names need not suffer for it
            _handshake(server, client, name.replace("*", "any", 1))
    except (ssl.SSLError, OSError, ValueError) as exc:
        raise CertificateError(f"a test handshake failed: {exc}") from exc


def server_context(chain: bytes, key: bytes) -> ssl.SSLContext:
    """A context that serves this pair. Raises: ssl.SSLError, OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # load_cert_chain reads files only; this one exists in memory alone, so no key touches a disk for it.
    descriptor = os.memfd_create("edge-check", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.rstrip() + b"\n" + chain)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    return context


def _client_context(anchor: x509.Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    context.load_verify_locations(cadata=anchor.public_bytes(Encoding.DER))
    return context


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):  # TLS 1.3 takes two turns, TLS 1.2 three
        ends = [end for end in ends if not _advance(end)]
        if not ends:
            return
    raise ssl.SSLError("the handshake does not end")


def _advance(end: ssl.SSLObject) -> bool:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
