"""From http to https, for names that are ours and no other.

The answer is always an absolute URL with a host from the configuration, so neither an unknown Host nor a target like `//evil`
can send a visitor elsewhere. 308 keeps method and body (RFC 9110 §15.4.9).
"""

from __future__ import annotations

from typing import Any

from edge.errors import RequestRefused
from edge.handlers.served_names import ServedNames
from edge.http.exchange import Exchange
from edge.http.message import ResponseHead


class Redirect:
    """Sends every request for a served name to the same path and query, byte for byte, on the https port."""

    def __init__(self, names: ServedNames[Any], https_port: int) -> None:
        self._names = names
        self._port = b"" if https_port == 443 else b":%d" % https_port

    def __call__(self, exchange: Exchange) -> None:
        """Answer 308. Raises: RequestRefused 421 for a name that is not ours."""
        request = exchange.request
        served = self._names.find(request.authority)
        if served is None:
            raise RequestRefused(421, "authority-not-served")
        # `OPTIONS *` asks about the server as a whole; an empty path says the same in a URL (RFC 9112 §3.2.4).
        path = request.target if request.target != b"*" else b""
        location = b"https://" + served.host + self._port + path
        exchange.respond(ResponseHead(308, ((b"location", location),), 0))
