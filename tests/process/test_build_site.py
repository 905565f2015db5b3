"""The handlers of one site."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from edge.config.address import UpstreamAddress
from edge.config.schema import CacheStorage, Caching, Rate, Route, Site, StaticMount
from edge.handlers.cache.handler import Cache
from edge.handlers.cache.shared import SharedCache
from edge.handlers.maintenance import MaintenanceSwitch
from edge.handlers.proxy import Proxy
from edge.handlers.rate_limit import RateLimit
from edge.handlers.rate_table import RateTable
from edge.handlers.routing import SiteRoutes
from edge.handlers.send_file import SendFile
from edge.handlers.static.handler import StaticHandler
from edge.net.deadlines import Deadlines
from edge.process.build_site import ResponseCache, Surroundings, build_site, lies_in, longest

HERE, THERE = UpstreamAddress("127.0.0.1", 8000), UpstreamAddress("127.0.0.1", 9000)


def with_site(site: Site, look: Callable[[SiteRoutes], None], responses: ResponseCache | None = None) -> None:
    """Build, look, release."""

    async def run() -> None:
        closers: list[Callable[[], None]] = []
        loop = asyncio.get_running_loop()
        around = Surroundings(loop, Deadlines(), RateTable(), MaintenanceSwitch(), 443, closers, responses=responses)
        look(build_site(site, around))
        for close in closers:
            close()

    asyncio.run(run())


def test_what_is_off_is_not_there(tmp_path: Path) -> None:
    """A site that sets nothing has bare handlers: no rule is looked at while a request is served."""

    def look(routes: SiteRoutes) -> None:
        assert type(routes.handler_for(b"/static/a.css")) is StaticHandler
        assert type(routes.handler_for(b"/other")) is Proxy

    with_site(Site(("a.test",), (HERE,), static=(StaticMount("/static", str(tmp_path)),)), look)


def test_the_cache_stands_before_the_proxy_where_it_is_wanted(tmp_path: Path) -> None:
    """It keeps what the application sent, and knows nothing of files that the application only names."""
    shared = SharedCache(str(tmp_path))
    opened = shared.open(CacheStorage())

    def look(routes: SiteRoutes) -> None:
        assert type(routes.handler_for(b"/a")) is Cache
        assert type(routes.handler_for(b"/b")) is Proxy

    site = Site(("a.test",), (HERE,), cache=Caching(), routes=(Route("/b", (HERE,)),))
    with_site(site, look, ResponseCache(opened.store, shared.claims))
    internal = (StaticMount("/files", str(tmp_path)),)
    site = Site(("a.test",), (HERE,), cache=Caching(), internal=internal)
    with_site(site, lambda routes: assert_type(routes, SendFile), ResponseCache(opened.store, shared.claims))
    opened.close()


def assert_type(routes: SiteRoutes, kind: type[object]) -> None:
    assert type(routes.handler_for(b"/")) is kind


def test_static_files_below_a_route_are_under_its_rules(tmp_path: Path) -> None:
    """And a route below a mount guards a part of the mount."""
    rate = Rate(1.0, 1)
    site = Site(
        ("a.test",),
        static=(StaticMount("/a/static", str(tmp_path)), StaticMount("/files", str(tmp_path))),
        routes=(Route("/a", rate=rate), Route("/files/secret", rate=rate)),
    )

    def look(routes: SiteRoutes) -> None:
        assert type(routes.handler_for(b"/a/static/x")) is RateLimit
        assert type(routes.handler_for(b"/files/secret/x")) is RateLimit
        assert type(routes.handler_for(b"/files/x")) is StaticHandler

    with_site(site, look)


def test_routes_share_an_upstream_and_its_pool() -> None:
    """Only other addresses make another one."""
    site = Site(("a.test",), (HERE,), routes=(Route("/a", (HERE,), max_body=1), Route("/b", (THERE,))))

    def look(routes: SiteRoutes) -> None:
        upstreams = []
        for target in (b"/", b"/a", b"/b"):
            handler = routes.handler_for(target)
            assert isinstance(handler, Proxy)
            upstreams.append(handler.upstream)
        assert upstreams[0] is upstreams[1]
        assert upstreams[0] is not upstreams[2]

    with_site(site, look)


def test_prefixes_hold_whole_segments() -> None:
    """`/a` holds `/a/b`, not `/ab`; "" holds everything."""
    assert lies_in("/a/b", "/a")
    assert lies_in("/a", "")
    assert not lies_in("/ab", "/a")
    assert longest("/a/b/c", {"": 0, "/a": 1, "/a/b": 2, "/a/b/d": 3}) == 2
    assert longest("/x", {"/a": 1}) is None
