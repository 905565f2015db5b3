"""Maintenance as a visitor meets it."""

from __future__ import annotations

import asyncio
import json

import pytest

from edge.config.maintenance import MaintenanceNotice
from edge.handlers.maintenance import MaintenanceSwitch
from edge.handlers.proxy import Proxy
from tests.fakes import FakeExchange, make_request
from tests.handlers.scenes import MAX_BODY, request_of, scene
from tests.upstream.origins import always_ok


def respond(notice: MaintenanceNotice, accept: bytes = b"text/html") -> FakeExchange:
    switch = MaintenanceSwitch()
    switch.replace(notice)
    exchange = FakeExchange(make_request(fields=[(b"accept", accept)]))
    switch.respond(exchange)
    return exchange


def test_the_operators_page() -> None:
    """503 with the page as it was written, never stored by a cache."""
    exchange = respond(MaintenanceNotice("<h1>ä</h1>", 120))
    assert exchange.status == 503
    assert exchange.body.decode() == "<h1>ä</h1>"
    assert exchange.field("retry-after") == "120"
    assert exchange.field("cache-control") == "no-store"
    assert exchange.field("content-type") == "text/html; charset=utf-8"
    assert exchange.field("x-request-id") == exchange.request_id


def test_edges_own_page() -> None:
    """Without a page of the operator's."""
    exchange = respond(MaintenanceNotice(retry_after=7))
    assert exchange.status == 503
    assert exchange.field("retry-after") == "7"
    assert b"maintenance" in exchange.body


def test_programs_get_json() -> None:
    """By Accept, whatever the page is."""
    exchange = respond(MaintenanceNotice("<h1>x</h1>", 120), b"application/json")
    assert json.loads(exchange.body)["reason"] == "maintenance"
    assert exchange.field("retry-after") == "120"


@pytest.mark.parametrize(
    ("target", "stopped"),
    [
        (b"/", True),
        (b"/healthz", False),
        (b"/healthz?deep=1", False),
        (b"/healthz/", True),
        (b"/.well-known/acme-challenge/abc", False),
        (b"/.well-known/other", True),
        (b"*", True),
    ],
)
def test_what_still_reaches_the_application(target: bytes, stopped: bool) -> None:
    """The health path, and challenges that another ACME client behind us answers."""
    switch = MaintenanceSwitch()
    assert not switch.stops(target, b"/healthz")
    switch.replace(MaintenanceNotice())
    assert switch.stops(target, b"/healthz") == stopped
    switch.replace(None)
    assert not switch.stops(target, b"/healthz")


def test_without_a_health_path_nothing_is_exempt() -> None:
    """An unset path is not the empty path."""
    switch = MaintenanceSwitch()
    switch.replace(MaintenanceNotice())
    assert switch.stops(b"?x", b"")


def test_the_proxy_asks_before_anything_else() -> None:
    """Also for WebSockets and for bodies that would be too large; afterwards requests go through again."""

    async def main() -> None:
        async with scene(always_ok) as stage:
            switch = MaintenanceSwitch()
            stage.proxy = Proxy(stage.upstream, MAX_BODY, stage.loop, maintenance=switch, health="/healthz?x=1")
            switch.replace(MaintenanceNotice())
            assert (await stage.get()).status == 503
            assert stage.begin(request_of(b"POST", content_length=MAX_BODY + 1)).status == 503
            assert (await stage.get(target=b"/healthz")).status == 200
            assert len(stage.origin.heads) == 1
            switch.replace(None)
            assert (await stage.get()).status == 200

    asyncio.run(main())
