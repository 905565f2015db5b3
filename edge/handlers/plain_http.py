"""What port 80 answers, in reading order.

    1. a CA asks for a token that we present           the key authorization
    2. the same path with a token that is not ours     the site itself: another ACME client may run behind edge
    3. a trusted proxy says that it was https there    the site
    4. anything else                                   308 to https, or what `setting_up` says of names on demand

Only an exact challenge path gets past the redirect; with a query, with dots, or with another method it is redirected.
"""

from __future__ import annotations

from edge.errors import HTTPError
from edge.handlers.acme_challenge import ChallengeTable, token_of
from edge.handlers.error_page import respond_error
from edge.http.exchange import Exchange, Handler


class PlainHTTP:
    """The handler for connections without TLS. `site` answers tokens that are not ours (the routing table)."""

    def __init__(self, challenges: ChallengeTable, site: Handler, redirect: Handler) -> None:
        self._challenges = challenges
        self._site = site
        self._redirect = redirect

    def __call__(self, exchange: Exchange) -> None:
        """Answer, with an error page if need be."""
        try:
            self._handler_for(exchange)(exchange)
        except HTTPError as error:
            respond_error(exchange, error)

    def _handler_for(self, exchange: Exchange) -> Handler:
        request = exchange.request
        if token_of(request.target) is None or request.method not in (b"GET", b"HEAD"):
            return self._site if request.scheme == b"https" else self._redirect
        return self._challenges.answer_for(exchange) or self._site
