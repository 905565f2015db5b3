"""Our side of a TLS connection to an origin: verified, always. There is no switch to trust everybody.

The certificate must chain to a trusted root and be valid for the host that the operator wrote (RFC 9110 §4.3.4); the same host
goes out as server name. What goes wrong is told as a constant word, since an alert's text comes from the network.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import ClassVar, Final

from edge.errors import StartError
from edge.net.socket_stream import reason_of
from edge.net.stream import StreamListener
from edge.net.tls_stream import TLSStream

VERDICTS: Final = {
    10: "certificate-expired",
    9: "certificate-not-yet-valid",
    62: "certificate-for-another-name",
    64: "certificate-for-another-address",
}
"""OpenSSL's X509_V_ERR_* codes that an operator acts upon in different ways; the others are "certificate-untrusted"."""


def new_client_context(ca_file: str = "") -> ssl.SSLContext:
    """Trusts the system's roots, and those in the PEM file `ca_file`. Speaks HTTP/1.1. Raises: StartError."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        if ca_file:
            context.load_verify_locations(ca_file)
    except (OSError, ValueError) as error:
        raise StartError(f"the certificates in {ca_file} cannot be used as roots for upstreams") from error
    return context


class TLSClientStream(TLSStream):
    """The client side. `begin_connect` connects and shakes hands; `stream_opened` follows the success of both."""

    __slots__ = ()

    _needs_goodbye: ClassVar[bool] = True
    """Else whoever cuts the line could end a body without a length (RFC 9112 §9.8)."""

    def __init__(
        self,
        sock: socket.socket,
        listener: StreamListener,
        loop: asyncio.AbstractEventLoop,
        context: ssl.SSLContext,
        server_name: str,
    ) -> None:
        tls = context.wrap_socket(sock, server_hostname=server_name, do_handshake_on_connect=False)
        self._adopt(tls, listener, loop)

    def _opened(self) -> None:
        self.start()
        self._on_handshake()  # the client speaks first

    @staticmethod
    def _handshake_word(error: OSError) -> str:
        if isinstance(error, ssl.SSLCertVerificationError):
            return VERDICTS.get(error.verify_code, "certificate-untrusted")
        return "handshake-failed" if isinstance(error, ssl.SSLError) else reason_of(error)
