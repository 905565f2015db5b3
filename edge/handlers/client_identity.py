"""In front of everything: requests from trusted proxies are seen as their client's own.

From here on the peer is the client: access rules, rates, logs and the application see one address, the one that is believed.
Nothing of what the proxies wrote goes any further (`edge.http.forwarding` removes it and says it anew).
"""

from __future__ import annotations

from msgspec import structs

from edge.errors import HTTPError
from edge.handlers.error_page import respond_error
from edge.http.client_identity import Identity, identify
from edge.http.exchange import Exchange, Handler
from edge.http.networks import Networks


class ClientIdentity:
    """A handler in front of another, for connections of which some come from `trusted` networks."""

    def __init__(self, trusted: Networks, cloudflare: Networks, handler: Handler) -> None:
        self._trusted = trusted
        self._cloudflare = cloudflare
        self._handler = handler

    def __call__(self, exchange: Exchange) -> None:
        """Hand on, with the peer that is believed; 400 for what a proxy cannot have meant."""
        address = exchange.peer.address
        if address in self._trusted:
            try:
                identity = identify(exchange.request, address, self._trusted, self._cloudflare)
            except HTTPError as error:
                respond_error(exchange, error)
                return
            _adopt(exchange, identity)
        self._handler(exchange)


def _adopt(exchange: Exchange, identity: Identity) -> None:
    request, peer = exchange.request, exchange.peer
    scheme, authority = identity.scheme or request.scheme, identity.authority or request.authority
    if identity.request_id:
        exchange.adopt_request_id(identity.request_id)
    if identity.address != peer.address:
        peer = structs.replace(peer, address=identity.address, port=0)
    if authority != request.authority:
        # The certificate between the proxy and us is their affair; it need not be for the name that the client asked for.
        peer = structs.replace(peer, covers=None)
    if (scheme, authority) != (request.scheme, request.authority):
        exchange.request = structs.replace(request, scheme=scheme, authority=authority)
    exchange.peer = peer
