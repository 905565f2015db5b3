"""Who may come in, by address: `deny` first, then `allow`.

The address is the peer's, or the one that a trusted proxy told (`edge.handlers.client_identity`), never one that a visitor wrote.
"""

from __future__ import annotations

from edge.errors import RequestRefused
from edge.http.exchange import Exchange, Handler
from edge.http.networks import Networks


class AddressFilter:
    """A handler in front of another. An empty `allow` lets everybody in whom `deny` does not name."""

    def __init__(self, allow: Networks, deny: Networks, handler: Handler) -> None:
        self._allow = allow
        self._deny = deny
        self._handler = handler

    def __call__(self, exchange: Exchange) -> None:
        """Hand on. Raises: RequestRefused 403."""
        address = exchange.peer.address
        if address in self._deny or (self._allow and address not in self._allow):
            raise RequestRefused(403, "address-not-allowed")
        self._handler(exchange)
