"""Which handler answers a request: the site by its authority, then the longest static prefix, then the upstream.

    not one of our names                                    421, or the site that serves names on demand, if the
                                                            certificate served was made for this name
    TLS, and the certificate served does not cover it       421   (RFC 9110 §7.4, RFC 9113 §9.1.1: the client opens another)
    below a static prefix                                   that mount
    anything else                                           the site's upstream; without one 404

An error that a handler raises becomes an error page here, so that every handler may simply raise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edge.errors import HTTPError, RequestRefused
from edge.handlers.error_page import respond_error
from edge.handlers.redirect import NOT_SERVED
from edge.handlers.served_names import ServedNames, canonical
from edge.http.exchange import Exchange, Handler
from edge.http.prefixes import PrefixTable
from edge.http.validation import split_authority

NO_ROUTE: Final = "no-route"


class SiteRoutes:
    """The handlers of one site: static mounts by prefix ("/static"; "" holds everything), and what answers the rest."""

    def __init__(self, mounts: Sequence[tuple[str, Handler]], upstream: Handler | None) -> None:
        self._mounts = [handler for _, handler in mounts]
        self._prefixes = PrefixTable([prefix for prefix, _ in mounts]) if mounts else None
        self._upstream = upstream

    def __call__(self, exchange: Exchange) -> None:
        """Answer. Raises: HTTPError, as `handler_for` and the handlers do."""
        self.handler_for(exchange.request.target)(exchange)

    def handler_for(self, target: bytes) -> Handler:
        """Who answers `target`. Raises: RequestRefused 404 when nobody does, 400 for a path that changes sides."""
        if self._prefixes is not None:
            mount = self._prefixes.match(target)
            if mount is not None:
                return self._mounts[mount]
        if self._upstream is None:
            raise RequestRefused(404, NO_ROUTE)
        return self._upstream


class RoutingTable:
    """The handler of a worker: everything that came over TLS, or over plain HTTP where that is allowed."""

    def __init__(self, names: ServedNames[SiteRoutes], on_demand: SiteRoutes | None = None) -> None:
        self._names = names
        self._on_demand = on_demand

    def __call__(self, exchange: Exchange) -> None:
        """Answer, with an error page if need be."""
        try:
            self.route(exchange)(exchange)
        except HTTPError as error:
            respond_error(exchange, error)

    def route(self, exchange: Exchange) -> Handler:
        """Who answers this exchange. Raises: RequestRefused 400, 404 or 421."""
        request = exchange.request
        served = self._names.find(request.authority)
        if served is None:
            return self._unlisted(exchange)
        covers = exchange.peer.covers
        if covers is not None and not covers(served.name):
            raise RequestRefused(421, "certificate-for-another-name")
        return served.site.handler_for(request.target)

    def _unlisted(self, exchange: Exchange) -> Handler:
        """Only a certificate shows that a name which no site lists is welcome, so nothing of this comes without TLS."""
        name, covers = canonical(split_authority(exchange.request.authority)[0]), exchange.peer.covers
        if self._on_demand is None or covers is None or not covers(name):
            raise RequestRefused(421, NOT_SERVED)
        return self._on_demand.handler_for(exchange.request.target)
