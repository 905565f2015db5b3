"""A named set of origins: which one gets the next request, and a connection to it.

With one origin there is nothing to choose, and nothing of what follows costs anything. With several, the policy orders those
that are believed to be well, then the others; a request goes down that list until one accepts. When none does it is held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from edge.config.address import H2C, UpstreamAddress
from edge.config.schema import Balancing
from edge.http.exchange import Exchange
from edge.http.message import Fields
from edge.net.deadlines import Deadlines
from edge.net.tls_client import TLSClientStream, new_client_context
from edge.upstream.balancer import sticky_id
from edge.upstream.carrier import RequestCarrier
from edge.upstream.claim import Claim
from edge.upstream.connect import Claimer, ConnectAttempt
from edge.upstream.failures import UNSENT
from edge.upstream.hold import Hold
from edge.upstream.origin import Origin
from edge.upstream.policies import new_balancer, new_key_reader, sticky_line
from edge.upstream.prober import Prober
from edge.upstream.resolver import Resolver

NO_HOLD = Balancing(hold_seconds=0)


def new_origins(addresses: Sequence[UpstreamAddress], ca_file: str) -> list[Origin]:
    """An origin for each address; all with TLS share a context, and with it their roots. Raises: StartError."""
    if not any(address.tls for address in addresses):
        return [Origin(address) for address in addresses]
    context = new_client_context(ca_file)
    return [
        Origin(address, partial(TLSClientStream, context=context, server_name=address.host))
        if address.tls
        else Origin(address)
        for address in addresses
    ]


class Upstream:
    """The origins of one site, in one worker. `site_name` is the Host that health probes ask for; `ca_file` holds roots for
    `https://` origins besides the system's. Raises: StartError when it cannot be used.

    `key_of` reads from a request what the policy wants to know; None when it wants nothing. `has_choice`: there are several
    origins, so verdicts about answers matter. `carries_streams`: every origin takes a body while it sends one.
    """

    def __init__(
        self,
        addresses: Sequence[UpstreamAddress],
        deadlines: Deadlines,
        loop: asyncio.AbstractEventLoop,
        balancing: Balancing = NO_HOLD,
        site_name: str = "localhost",
        ca_file: str = "",
    ) -> None:
        self.origins = new_origins(addresses, ca_file)
        self._former: list[Origin] = []
        self.has_choice = len(self.origins) > 1
        self.key_of: Callable[[Exchange], bytes] | None = new_key_reader(balancing) if self.has_choice else None
        self.carries_streams = all(address.protocol == H2C for address in addresses)
        self._balancer = new_balancer(balancing.policy)
        self._is_sticky = balancing.policy == "sticky_cookie"
        self._deadlines = deadlines
        self._loop = loop
        self._resolver = Resolver(loop)
        self._hold = Hold(balancing.hold_seconds, self._attempt, loop) if balancing.hold_seconds else None
        self._prober = Prober(self.origins, balancing.health, site_name, self._resolver, deadlines, loop)
        if self._hold:
            loop.call_soon(self._hold.look)
        if balancing.health:
            self._prober.start()

    def __repr__(self) -> str:
        return f"<Upstream {self.origins!r} {self._hold!r}>"

    def claim_idle(self, key: bytes = b"") -> RequestCarrier | None:
        """A pooled connection to the origin that comes first for `key`, or None: then call `connect`."""
        origins = self.origins
        now = self._loop.time()
        if not self.has_choice:
            return origins[0].pool.claim(now)
        first = self._in_order(key, now)[0]
        connection = first.pool.claim(now)
        if connection:
            self._choose(first, now)
        return connection

    def connect(self, claimer: Claimer, key: bytes = b"", *, size: int = 0, but: Origin | None = None) -> Claim:
        """Open a new connection, or wait for one. `claimer` hears the outcome, possibly before this returns; `cancel` gives up.

        `size` are the bytes of the request's body that wait along. `but` is tried last: it has just failed this request.
        """

        for origin in self.origins:
            origin.is_wanted = True

        def attempt(searcher: Claimer) -> ConnectAttempt:
            return self._attempt(searcher, key, but)

        claim = Claim(claimer, attempt, self._hold, size)
        claim.start()
        return claim

    def _attempt(self, claimer: Claimer, key: bytes = b"", but: Origin | None = None) -> ConnectAttempt:
        now = self._loop.time()
        order = self._in_order(key, now)
        if but and self.has_choice:
            order.sort(key=lambda origin: origin is but)
        self._choose(order[0], now)
        return ConnectAttempt(order, claimer, self._resolver, self._deadlines, self._loop)

    def _in_order(self, key: bytes, now: float) -> list[Origin]:
        """All origins as the policy likes them, those that are avoided behind all others."""
        if not self.has_choice:
            return self.origins[:]
        well = [origin for origin in self.origins if not origin.is_avoided(now)]
        if len(well) == len(self.origins):
            return self._balancer.order(well, key)
        avoided = [origin for origin in self.origins if origin not in well]
        return [*self._balancer.order(well, key), *self._balancer.order(avoided, key)]

    def _choose(self, origin: Origin, now: float) -> None:
        if self.has_choice:
            well = [each for each in self.origins if not each.is_avoided(now)]
            self._balancer.chosen(origin, well if origin in well else self.origins)

    # -- verdicts -----------------------------------------------------------------------------------------------------

    def origin_of(self, connection: RequestCarrier) -> Origin:
        """Where a connection of ours leads."""
        return next(origin for origin in (*self.origins, *self._former) if connection.belongs_to(origin.pool))

    def note_answer(self, connection: RequestCarrier, exchange: Exchange, key: bytes, status: int) -> Fields:
        """A request was answered; returns what the policy adds to the response's fields. Call it where `has_choice`."""
        origin = self.origin_of(connection)
        origin.note_status(status, self._loop.time())
        if self._is_sticky and key != sticky_id(origin.name):
            return ((b"set-cookie", sticky_line(sticky_id(origin.name), exchange.request.scheme)),)
        return ()

    def note_failure(self, connection: RequestCarrier, word: str) -> None:
        """A request was not answered, or badly. Call it where `has_choice`."""
        if word not in UNSENT:
            self.origin_of(connection).note_failure(self._loop.time(), word)

    def close(self) -> None:
        """Close idle connections and give up look-ups and probes. Busy connections end with their exchanges."""
        self._prober.close()
        if self._hold:
            self._hold.close()
        self._resolver.close()
        self._close_idle()

    def _close_idle(self) -> None:
        for origin in self.origins:
            for connection in origin.pool.drain():
                connection.close()

    # -- after a reload -----------------------------------------------------------------------------------------------

    def move(self, addresses: Sequence[UpstreamAddress], ca_file: str) -> None:
        """Its origins are these from now on: what is held, or comes later, goes there; what has a connection keeps it.

        For the end of a generation: nobody probes the new origins. Raises: StartError; then nothing has changed."""
        origins = new_origins(addresses, ca_file)
        self._prober.close()
        self._close_idle()
        self._former += self.origins
        self.origins = origins
        self.has_choice = len(origins) > 1
        if self._hold:
            self._hold.look_again()

    def give_up_waiting(self) -> None:
        """Answer what is held as if its time were up."""
        if self._hold:
            self._hold.give_up()
