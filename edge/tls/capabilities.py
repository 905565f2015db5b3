"""What the TLS library of this machine gives visitors: asked of the library itself, not looked up by its version."""

from __future__ import annotations

import contextlib
import ssl
from typing import Final

from edge.tls.client_hello import parse_client_hello
from edge.tls.contexts import new_base_context

HYBRID: Final = "X25519MLKEM768"
"""Key exchange that a quantum computer of the future cannot undo (draft-ietf-tls-ecdhe-mlkem)."""

GROUPS: Final = {
    0x0017: "secp256r1",
    0x0018: "secp384r1",
    0x0019: "secp521r1",
    0x001D: "x25519",
    0x001E: "x448",
    0x0100: "ffdhe2048",
    0x0101: "ffdhe3072",
    0x0102: "ffdhe4096",
    0x0103: "ffdhe6144",
    0x0104: "ffdhe8192",
    0x11EB: "SecP256r1MLKEM768",
    0x11EC: HYBRID,
    0x11ED: "SecP384r1MLKEM1024",
}
"""TLS supported groups (IANA registry, RFC 8446 §4.2.7)."""


def library_version() -> str:
    """`OpenSSL 3.0.19 27 Jan 2026`."""
    return ssl.OPENSSL_VERSION


def protocol_versions() -> list[str]:
    """What visitors can speak, the oldest first."""
    lowest = new_base_context().minimum_version
    every = [(ssl.TLSVersion.TLSv1_2, "TLS 1.2", ssl.HAS_TLSv1_2), (ssl.TLSVersion.TLSv1_3, "TLS 1.3", ssl.HAS_TLSv1_3)]
    return [name for version, name, is_there in every if is_there and version >= lowest]


def key_exchange_groups() -> list[str]:
    """The groups that the library uses unless told otherwise (edge does not), the preferred first. Unknown ones as numbers.

    They are read from the ClientHello that it writes: both sides of a handshake have the same list."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    written = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):  # it has written, and waits for a server
        context.wrap_bio(ssl.MemoryBIO(), written).do_handshake()
    return [GROUPS.get(group, f"0x{group:04x}") for group in parse_client_hello(written.read()).groups]
