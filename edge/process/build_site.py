"""The handlers of one site, composed at the start in reading order. What is off is not there and costs nothing.

answers ─ routes ─┬─ guards of the longest route ─ file ──────────────── static, media
                  └─ guards of the longest route ─ compress ─ send file ─ cache ─ proxy
guards: address filter ─ rate limit ─ authentication
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from msgspec import Struct, field

from edge.config.address import UpstreamAddress
from edge.config.purge import Purge
from edge.config.schema import Authentication, Caching, ErrorPage, FieldRules, Route, Rules, Site, StaticMount
from edge.errors import RequestRefused
from edge.handlers.address_filter import AddressFilter
from edge.handlers.answers import Answers, FieldChanges
from edge.handlers.basic_auth import BasicAuth, Verifier
from edge.handlers.cache.claims import Claims
from edge.handlers.cache.store import CacheStore
from edge.handlers.maintenance import MaintenanceSwitch
from edge.handlers.proxy import Proxy
from edge.handlers.rate_limit import RateLimit
from edge.handlers.rate_table import RateTable
from edge.handlers.redirect import SiteRedirect
from edge.handlers.routing import NO_ROUTE, SiteRoutes
from edge.handlers.send_file import InternalFiles, SendFile, passes_file_fields
from edge.handlers.static.handler import StaticHandler
from edge.http.exchange import Exchange, Handler
from edge.http.networks import Networks
from edge.net.deadlines import Deadlines
from edge.telemetry.logs import get_logger
from edge.upstream.upstream import Upstream

Found = TypeVar("Found")

NO_CHANGES: Final = FieldRules()

log = get_logger("process")


class ResponseCache(Struct):
    """Where all sites of a worker keep responses."""

    store: CacheStore
    claims: Claims

    def purge(self, purges: tuple[Purge, ...]) -> None:
        """From now on nothing that these cover is used."""
        self.store.purge(purges)


class Surroundings(Struct):
    """What the handlers of all sites of a worker share. `closers` are called when the worker ends. `upstreams` are found by the
    first name of their site and their addresses."""

    loop: asyncio.AbstractEventLoop
    deadlines: Deadlines
    rates: RateTable
    maintenance: MaintenanceSwitch
    https_port: int
    closers: list[Callable[[], None]]
    upstreams: dict[tuple[str, tuple[UpstreamAddress, ...]], Upstream] = field(default_factory=dict)
    responses: ResponseCache | None = None


def build_site(site: Site, around: Surroundings) -> SiteRoutes:
    """Who answers what."""
    if site.redirect is not None:
        routes = SiteRoutes([], SiteRedirect(site.redirect, around.https_port))
    else:
        routes = _SiteBuilder(site, around).routes()
    if not (site.error_pages or site.hsts or site.fields != NO_CHANGES):
        return routes
    changes = FieldChanges(site.fields, site.hsts)
    return SiteRoutes([], Answers(changes, read_pages(site.error_pages), routes))


def read_pages(pages: tuple[ErrorPage, ...]) -> dict[int, bytes]:
    """The operator's pages by status. One that has gone since the configuration was checked is replaced by our own."""
    found: dict[int, bytes] = {}
    for page in pages:
        try:
            found[page.status] = Path(page.path).read_bytes()
        except OSError as error:
            log.warning("error page cannot be read", status=page.status, file=page.path, cause=error.strerror)
    return found


class _SiteBuilder:
    """Makes the handlers of one site; those that several routes need are made once."""

    def __init__(self, site: Site, around: Surroundings) -> None:
        self._site = site
        self._around = around
        self._mounts = {mount.prefix: self._static(mount) for mount in site.static}
        self._upstreams: dict[tuple[UpstreamAddress, ...], Upstream] = {}
        self._verifiers: dict[Authentication, Verifier] = {}
        internal = {mount: self._static(mount) for mount in site.internal}
        self._internal = InternalFiles(internal) if internal else None

    def routes(self) -> SiteRoutes:
        """One handler for each prefix that a mount or a route names: the mount around it, guarded by the route around it."""
        prefixes = {*self._mounts, *(route.prefix for route in self._site.routes)}
        return SiteRoutes([(prefix, self._handler(prefix)) for prefix in sorted(prefixes)], self._rest())

    def _static(self, mount: StaticMount) -> StaticHandler:
        handler = StaticHandler(mount)
        self._around.closers.append(handler.close)
        return handler

    def _handler(self, prefix: str) -> Handler:
        rules = longest(prefix, {route.prefix: route for route in self._site.routes}) or self._site
        answerer: Handler | None = longest(prefix, self._mounts) or self._application(rules)
        return self._guard(rules, answerer or _nobody)

    def _rest(self) -> Handler | None:
        application = self._application(self._site)
        return None if application is None else self._guard(self._site, application)

    def _application(self, rules: Route | Site) -> Handler | None:
        """The upstream of a part, or None."""
        if not rules.upstreams:
            return None
        proxy = partial(
            Proxy,
            self._upstream(rules.upstreams),
            rules.max_body,
            self._around.loop,
            first_byte_timeout=rules.first_byte_timeout,
            maintenance=self._around.maintenance,
            health=self._site.balancing.health,
        )
        files = self._internal
        handler: Handler = proxy() if files is None else proxy(response_fields=passes_file_fields)
        if rules.cache is not None:
            handler = self._cached(rules.cache, handler)
        if files is not None:
            handler = SendFile(files, handler)
        return handler if rules.compress == "never" else compressing(handler, rules)

    def _cached(self, rules: Caching, handler: Handler) -> Handler:
        """A handler that answers from the store where it can. Its modules are loaded only where that is wanted."""
        from edge.handlers.cache.handler import Cache  # noqa: PLC0415

        around = self._around
        if around.responses is None:
            return handler
        store, claims = around.responses.store, around.responses.claims
        name = self._site.names[0]
        return Cache(rules, name, store, claims, handler, around.maintenance, around.deadlines, around.loop)

    def _upstream(self, addresses: tuple[UpstreamAddress, ...]) -> Upstream:
        if addresses not in self._upstreams:
            around, site = self._around, self._site
            upstream = self._upstreams[addresses] = Upstream(
                addresses, around.deadlines, around.loop, site.balancing, site.names[0], site.upstream_ca
            )
            around.upstreams[site.names[0], addresses] = upstream
            around.closers.append(upstream.close)
        return self._upstreams[addresses]

    # -- guards, the innermost first ----------------------------------------------------------------------------------

    def _guard(self, rules: Route | Site, handler: Handler) -> Handler:
        if rules.auth is not None:
            handler = BasicAuth(rules.auth, self._verifier(rules.auth), handler)
        if rules.rate is not None:
            handler = RateLimit(rules.rate, self._name_of_rate(rules), self._around.rates, handler)
        if rules.allow or rules.deny:
            handler = AddressFilter(Networks(rules.allow), Networks(rules.deny), handler)
        return handler

    def _verifier(self, auth: Authentication) -> Verifier:
        if auth not in self._verifiers:
            verifier = self._verifiers[auth] = Verifier(auth, self._around.loop)
            self._around.closers.append(verifier.close)
        return self._verifiers[auth]

    def _name_of_rate(self, rules: Route | Site) -> str:
        """A rate that was taken from outside counts there, together with everything else that has it."""
        around: list[tuple[str, Rules]] = [("", self._site), *((route.prefix, route) for route in self._site.routes)]
        own = rules.prefix if isinstance(rules, Route) else ""
        owner = next(prefix for prefix, each in around if each.rate == rules.rate and lies_in(own, prefix))
        return f"{self._site.names[0]}{owner}"


def compressing(handler: Handler, rules: Rules) -> Handler:
    """A handler whose answers are compressed. Its packages are loaded only where that is wanted."""
    from edge.handlers.compress import Compress  # noqa: PLC0415

    return Compress(handler, careful=rules.compress == "careful", is_guarded=rules.auth is not None)


def lies_in(prefix: str, outer: str) -> bool:
    """Whether everything below `prefix` is below `outer` too."""
    return prefix == outer or prefix.startswith(f"{outer}/")


def longest(prefix: str, choices: dict[str, Found]) -> Found | None:
    """The value of the longest prefix in `choices` that holds `prefix`."""
    around = [each for each in choices if lies_in(prefix, each)]
    return choices[max(around, key=len)] if around else None


def _nobody(_exchange: Exchange) -> None:
    raise RequestRefused(404, NO_ROUTE)
