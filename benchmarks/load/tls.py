"""The suite's own TLS clients: certificates are its own and not checked, protocols and ciphers are OpenSSL's defaults."""

from __future__ import annotations

import ssl


def unverified_context(*protocols: str) -> ssl.SSLContext:
    """A client context that trusts anybody and offers these ALPN protocols."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context
