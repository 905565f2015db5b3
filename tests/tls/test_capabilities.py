"""What is said about the TLS library, held against handshakes with it."""

from __future__ import annotations

import ssl

from edge.tls.capabilities import HYBRID, key_exchange_groups, library_version, protocol_versions


def test_the_library_says_who_it_is() -> None:
    """As `openssl version` does."""
    assert library_version() == ssl.OPENSSL_VERSION
    assert protocol_versions() == ["TLS 1.2", "TLS 1.3"]


def test_groups_are_those_of_the_library() -> None:
    """Elliptic curves every library of today has; the hybrid one where OpenSSL is 3.5 or newer."""
    groups = key_exchange_groups()
    assert {"x25519", "secp256r1"} <= set(groups)
    assert (HYBRID in groups) == (ssl.OPENSSL_VERSION_INFO >= (3, 5))
