"""SSL contexts: one base context that every connection starts with, and one per certificate that the server name selects.

Session tickets belong to the context that a connection starts with. The base context is made once, before workers are forked,
so its ticket keys are the same in all of them and a session resumes at whichever worker it reaches.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from typing import Final, TypeAlias

from edge.errors import CertificateError
from edge.tls.certified_key import CertifiedKey, coverage

ALPN: Final = ["h2", "http/1.1"]

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2: forward secrecy and AEAD only (RFC 9325 §4.2). TLS 1.3 has no others."""


ChallengeContext: TypeAlias = ssl.SSLContext
"""The context of one pending TLS-ALPN-01 answer."""


class EdgeSocket(ssl.SSLSocket):
    """An SSLSocket that remembers the server name it was asked for."""

    server_name: str = ""


class CertificateContext(ssl.SSLContext):
    """The context of one certificate; `covers(host)` tells whether the certificate is valid for a host."""

    covers: Callable[[str], bool]


def new_base_context() -> ssl.SSLContext:
    """The context that connections start with: protocol rules and ticket keys, no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslsocket_class = EdgeSocket
    _apply_rules(context)
    context.set_alpn_protocols(ALPN)
    return context


def new_certificate_context(certified_key: CertifiedKey) -> CertificateContext:
    """The context that serves `certified_key`.

    Raises: CertificateError when OpenSSL does not take chain or key; OSError when the process is out of descriptors.
    """
    context = CertificateContext(ssl.PROTOCOL_TLS_SERVER)
    context.covers = coverage(certified_key.names)
    _apply_rules(context)
    context.set_alpn_protocols(ALPN)
    _load(context, certified_key.chain, certified_key.key)
    return context


def new_challenge_context(chain: bytes, key: bytes) -> ChallengeContext:
    """A context that answers only `acme-tls/1` with a challenge certificate (RFC 8737 §3); raises as the above do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _apply_rules(context)
    context.set_alpn_protocols(["acme-tls/1"])
    _load(context, chain, key)
    return context


def _apply_rules(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.options |= ssl.OP_PRIORITIZE_CHACHA if hasattr(ssl, "OP_PRIORITIZE_CHACHA") else 0
    context.num_tickets = 1  # one resumption a connection is what clients use; each ticket costs a write and a seal


def _load(context: ssl.SSLContext, chain: bytes, key: bytes) -> None:
    # load_cert_chain wants a path: an anonymous file in memory has one and leaves nothing on a disk.
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(key + b"\n" + chain)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    except ssl.SSLError as error:
        raise CertificateError("OpenSSL does not accept the certificate or its key") from error
    finally:
        os.close(descriptor)
