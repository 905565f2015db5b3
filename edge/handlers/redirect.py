"""From http to https, for names that are ours and no other; and from one site to another.

The answer is always an absolute URL with a host from the configuration, so neither an unknown Host nor a target like `//evil`
can send a visitor elsewhere. 308 keeps method and body (RFC 9110 §15.4.9).
"""

from __future__ import annotations

from typing import Any, Final

from edge.config.schema import Redirection
from edge.errors import RequestRefused
from edge.handlers.served_names import ServedNames
from edge.http.exchange import Exchange
from edge.http.message import SERVER_FIELD, ResponseHead

NOT_SERVED: Final = "authority-not-served"


class Redirect:
    """Sends every request for a served name to the same path and query, byte for byte, on the https port."""

    def __init__(self, names: ServedNames[Any], https_port: int) -> None:
        self._names = names
        self._port = b"" if https_port == 443 else b":%d" % https_port

    def __call__(self, exchange: Exchange) -> None:
        """Answer 308. Raises: RequestRefused 421 for a name that is not ours."""
        served = self._names.find(exchange.request.authority)
        if served is None:
            raise RequestRefused(421, NOT_SERVED)
        self.send(exchange, served.host)

    def send(self, exchange: Exchange, host: bytes) -> None:
        """Answer 308 to `host`, which is ours."""
        target = exchange.request.target
        # `OPTIONS *` asks about the server as a whole; an empty path says the same in a URL (RFC 9112 §3.2.4).
        location = b"https://" + host + self._port + (target if target != b"*" else b"")
        exchange.respond(ResponseHead(308, ((b"location", location),), 0))


class SiteRedirect:
    """Sends every request of a site to the same path and query, byte for byte, of another host."""

    def __init__(self, redirection: Redirection, https_port: int) -> None:
        target = redirection.target
        if "://" not in target:
            host = f"[{target}]" if ":" in target else target
            target = f"https://{host}" if https_port == 443 else f"https://{host}:{https_port}"
        self._origin = target.encode("ascii")
        self._status = redirection.status

    def __call__(self, exchange: Exchange) -> None:
        """Answer with the status of the configuration."""
        target = exchange.request.target
        location = self._origin + (b"" if target == b"*" else target)
        exchange.respond(ResponseHead(self._status, (SERVER_FIELD, (b"location", location)), 0))
