"""The handler in front of a proxy that answers from the store where that is allowed, and asks the application once where many
want the same (RFC 9111).

| request | |
|---|---|
| GET, HEAD | from the store, if there is something usable; a GET that finds nothing asks for everybody who wants the same |
| HEAD or Range that finds nothing, conditions that guard a change, a body, a method override | passed as it is, not stored |
| with Authorization | only what the origin marked for sharing; never asks for others |
| a method that changes something | passed; an answer below 400 forgets what is stored for its URL (§4.4) |

A response that is stale is sent within `stale-while-revalidate` while one request renews it. During maintenance nothing is
answered from the store.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from msgspec import structs

from edge.config.schema import Caching
from edge.errors import HTTPError
from edge.handlers.cache.asking import Asking, whole_request
from edge.handlers.cache.claims import Claims
from edge.handlers.cache.delivery import Delivery
from edge.handlers.cache.fetch import Fetch
from edge.handlers.cache.invalidation import Invalidating
from edge.handlers.cache.passing import Passed
from edge.handlers.cache.record import Response, Signpost
from edge.handlers.cache.reply import cut, fields_of_moment, reply_to
from edge.handlers.cache.store import CacheStore
from edge.handlers.cache.waiting import WaitingRoom
from edge.handlers.error_page import respond_error
from edge.handlers.maintenance import MaintenanceSwitch
from edge.http.cache_key import Vary, primary_key, without_parameters
from edge.http.cache_status import hit
from edge.http.exchange import Exchange, Handler
from edge.http.message import Request
from edge.net.deadlines import Deadlines

POLL: Final = 0.02
"""Seconds between two looks whether another worker has its answer; only while somebody waits for one."""

SAFE: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PROPFIND", b"REPORT", b"SEARCH", b"CONNECT"))
"""Methods that change nothing (RFC 9110 §9.2.1); a tunnel is none of a cache's business."""


class Cache:
    """One for each part of a site that is cached. All parts share store and claims with all workers. `clock` is POSIX time."""

    def __init__(
        self,
        rules: Caching,
        site: str,
        store: CacheStore,
        claims: Claims,
        handler: Handler,
        maintenance: MaintenanceSwitch,
        deadlines: Deadlines,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.rules: Final = rules
        self.site: Final = site
        self.store: Final = store
        self.loop: Final = loop
        self.clock: Final = clock
        self.room: Final = WaitingRoom(deadlines, self._gave_up)
        self._ignored = frozenset(name.encode() for name in rules.ignore_query)
        self._claims = claims
        self._handler = handler
        self._maintenance = maintenance
        self._fetches: dict[bytes, Fetch] = {}
        self._polls = False

    def __repr__(self) -> str:
        return f"<Cache {self.site} {self.store!r} fetches={len(self._fetches)} {self.room!r}>"

    def __call__(self, exchange: Exchange) -> None:
        """Answer, now or later. Raises: HTTPError, as the proxy does."""
        request = exchange.request
        if self._maintenance.is_on:
            self._handler(exchange)
        elif request.method in (b"GET", b"HEAD"):
            if self._ignored:
                target = without_parameters(request.target, self._ignored)
                if target != request.target:
                    request = structs.replace(request, target=target)
            self._answer(Asking(exchange, request))
        elif request.method in SAFE:
            self._handler(exchange)
        else:
            self._handler(Invalidating(exchange, self.invalidate))

    def key(self, request: Request) -> bytes:
        """What its response is stored for."""
        return primary_key(request)

    # -- from the store -----------------------------------------------------------------------------------------------

    def _answer(self, asking: Asking) -> None:
        """From the store, or by asking."""
        if asking.is_odd:
            self._pass(asking, b"bypass")
            return
        name, response, body = self.store.find(asking.request)
        now = self.clock()
        if response is None:
            self._ask(asking, name, b"uri-miss", None)
        elif asking.has_credentials and not response.for_all:
            self._pass(asking, b"request")
        elif (left := response.lifetime.left(now)) > 0:
            self.send(asking, name, response, body, hit(left), "hit", now)
        elif response.lifetime.may_wait(now):
            self._refresh(asking, name, response, body)
            self.send(asking, name, response, body, hit(left), "stale", now)
        else:
            self._ask(asking, name, b"stale", (response, body))

    def send(
        self, asking: Asking, name: bytes, response: Response, body: bytes, member: bytes, verdict: str, now: float
    ) -> None:
        """Answer with what is stored; a body that has gone meanwhile is asked for anew."""
        exchange = asking.exchange
        reply = reply_to(asking.request, response, fields_of_moment(response, exchange, member, now), response.length)
        if not response.file or not reply.pieces:
            exchange.cache_verdict = verdict
            exchange.respond(reply.head, cut(body, reply.pieces))
            return
        stored = self.store.open_body(response)
        if stored is None:
            self.store.remove(name)
            self._ask(asking, name, b"uri-miss", None)
            return
        exchange.cache_verdict = verdict

        def left(_delivery: Delivery) -> None:
            stored.close()

        Delivery(exchange, stored, reply.pieces, response.length, left, self.loop.call_soon).start(reply.head)

    # -- from the application -----------------------------------------------------------------------------------------

    def _ask(self, asking: Asking, name: bytes, why: bytes, stored: tuple[Response, bytes] | None) -> None:
        """Ask for everybody, or wait for who does."""
        request, now = asking.request, self.loop.time()
        if asking.only_if_cached:
            respond_error(asking.exchange, HTTPError(504, "only-if-cached"))
        elif request.method != b"GET" or asking.is_partial or not asking.may_store:
            self._pass(asking, b"partial" if asking.is_partial else b"request")
        elif asking.has_credentials or self._claims.passes(name, now):
            Fetch(self, asking, request, name, why, is_claimed=False).start(self._handler)
        elif self._claims.claim(name, now):
            self._lead(asking, name, why, stored)
        elif not self.room.enter(name, asking, now):
            Fetch(self, asking, request, name, why, is_claimed=False).start(self._handler)
        else:
            self._poll_soon()

    def _lead(
        self, asking: Asking, name: bytes, why: bytes, stored: tuple[Response, bytes] | None, *, leads: bool = True
    ) -> None:
        validators = _validators(stored[0]) if stored else ()
        request = whole_request(asking.request, validators)
        self._fetches[name] = fetch = Fetch(self, asking, request, name, why, stored, leads=leads)
        fetch.start(self._handler)

    def _refresh(self, asking: Asking, name: bytes, response: Response, body: bytes) -> None:
        """Have it renewed behind the visitor's back, once."""
        now = self.loop.time()
        if not asking.has_credentials and not self._claims.passes(name, now) and self._claims.claim(name, now):
            self._lead(asking, name, b"stale", (response, body), leads=False)

    def _pass(self, asking: Asking, why: bytes) -> None:
        """As if there were no cache, but for a word about it."""
        self._handler(Passed(asking.exchange, asking.request, why))

    def _gave_up(self, asking: Asking) -> None:
        """Whoever has waited too long goes alone."""
        Fetch(self, asking, asking.request, b"", b"uri-miss", is_claimed=False).start(self._handler)

    def fetch_ended(self, name: bytes, fetch: Fetch, *, passes: bool) -> None:
        """Somebody has the answer. Those who wait look again, and go alone if it is of no use to others."""
        if self._fetches.get(name) is fetch:
            del self._fetches[name]
        self._claims.release(name, self.loop.time(), passes=passes)
        for asking in self.room.call(name):
            self._answer(asking)

    # -- other workers ------------------------------------------------------------------------------------------------

    def _poll_soon(self) -> None:
        if not self._polls:
            self._polls = True
            self.loop.call_later(POLL, self._poll)

    def _poll(self) -> None:
        """Has another worker got what visitors of this one wait for?"""
        self._polls = False
        now = self.loop.time()
        waiting = [name for name in self.room.names if name not in self._fetches]
        for name in waiting:
            if not self._claims.is_claimed(name, now):
                for asking in self.room.call(name):
                    self._answer(asking)
        if any(name not in self._fetches for name in self.room.names):
            self._poll_soon()

    # -- keeping and forgetting ---------------------------------------------------------------------------------------

    def may_keep(self, request: Request, response: Response) -> bool:
        """Whether nothing has happened since it was asked for that makes it void."""
        name = self.store.name(primary_key(request))
        return not (self._claims.fallen_since(name, response.asked_at) or self.store.is_purged(response))

    def keep(self, request: Request, vary: Vary, response: Response, body: bytes) -> bool:
        """Store it where the next request will look; whether that worked."""
        if not self.may_keep(request, response):
            return False
        name, signpost = self.store.way(request)
        if not vary:
            return self.store.save(self.store.name(primary_key(request)), response, body)
        if signpost is None or signpost.vary != vary:
            signpost = Signpost.new(primary_key(request), vary, response.asked_at, self.site)
            if not self.store.save(self.store.name(signpost.key), signpost):
                return False
            name = self.store.variant_name(request, signpost)
        return self.store.save(name, response, body)

    def invalidate(self, key: bytes) -> None:
        """Something has changed there: forget it, and what is on its way (RFC 9111 §4.4)."""
        name = self.store.name(key)
        self._claims.fell(name, self.loop.time(), self.clock())
        self.store.remove(name)


def _validators(response: Response) -> tuple[tuple[bytes, bytes], ...]:
    """What asks the origin whether the stored response is still good (RFC 9111 §4.3.1)."""
    fields = ((b"if-none-match", response.field(b"etag")), (b"if-modified-since", response.field(b"last-modified")))
    return tuple((name, value) for name, value in fields if value is not None)
