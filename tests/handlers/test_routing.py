"""Which handler answers."""

from __future__ import annotations

import pytest

from edge.errors import RequestRefused
from edge.handlers.routing import RoutingTable, SiteRoutes
from edge.handlers.served_names import ServedNames
from edge.http.exchange import Exchange, Handler, Peer
from edge.http.message import Request, ResponseHead
from tests.fakes import FakeExchange

PLAIN = Peer("192.0.2.1", 1)


def answering(word: bytes) -> Handler:
    def handler(exchange: Exchange) -> None:
        exchange.respond(ResponseHead(200, (), len(word)), word)

    return handler


def failing(exchange: Exchange) -> None:
    raise RequestRefused(405, "method-not-allowed")


SITE = SiteRoutes(
    [("/static", answering(b"static")), ("/static/admin", answering(b"admin")), ("/broken", failing)], answering(b"app")
)
FILES = SiteRoutes([("/files", answering(b"files"))], None)
TABLE = RoutingTable(
    ServedNames({"a.test": SITE, "*.b.test": SITE, "files.test": FILES, "127.0.0.1": SITE, "::1": SITE})
)


def ask(target: bytes = b"/", authority: bytes = b"a.test", peer: Peer = PLAIN) -> FakeExchange:
    exchange = FakeExchange(Request(b"GET", b"https", authority, target, ()))
    exchange.peer = peer
    TABLE(exchange)
    return exchange


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        (b"/", b"app"),
        (b"/static", b"static"),
        (b"/static/a.css?x=/static/admin/", b"static"),
        (b"/static/admin/a.css", b"admin"),
        (b"/static-private", b"app"),
        (b"/%73tatic/a.css", b"static"),
        (b"/STATIC/a.css", b"app"),
        (b"//static/a.css", b"app"),
        (b"*", b"app"),
    ],
)
def test_the_longest_prefix_wins(target: bytes, answer: bytes) -> None:
    """By whole segments, decoded once, nothing else folded; the rest is the application's."""
    assert ask(target).body == answer


@pytest.mark.parametrize("target", [b"/static/../admin", b"/x/../static/a.css", b"/static/%2e%2e/admin"])
def test_a_path_that_changes_sides_is_refused(target: bytes) -> None:
    """What is routed and what an origin would make of it must not differ."""
    assert ask(target).status == 400


@pytest.mark.parametrize(
    "authority", [b"a.test", b"a.test:8443", b"x.b.test", b"127.0.0.1", b"127.0.0.1:8443", b"[::1]", b"[0:0::1]:443"]
)
def test_a_name_of_ours_is_served_on_any_port(authority: bytes) -> None:
    """Exactly, by a wildcard for one label, or an address in any spelling."""
    assert ask(authority=authority).body == b"app"


@pytest.mark.parametrize(
    "authority",
    [b"", b"evil.test", b"b.test", b"x.y.b.test", b"xa.test", b"a.test.evil.test", b"127.0.0.2", b"[::2]"],
)
def test_a_name_that_is_not_ours_is_421(authority: bytes) -> None:
    """Whatever the path; no application ever sees an unknown host."""
    for _ in range(2):
        assert ask(b"/static/a.css", authority).status == 421


def test_a_connection_with_another_certificate_is_421() -> None:
    """A name of ours on a connection whose certificate does not cover it: the client opens another (RFC 9113 §9.1.1)."""
    peer = Peer("192.0.2.1", 1, "TLSv1.3", "a.test", lambda host: host == "a.test")
    assert ask(peer=peer).status == 200
    assert ask(authority=b"files.test", peer=peer).status == 421


def test_without_an_upstream_the_rest_is_404() -> None:
    """A site of files only."""
    assert ask(b"/files/a", b"files.test").body == b"files"
    assert ask(b"/other", b"files.test").status == 404


def test_a_handlers_error_becomes_a_page() -> None:
    """A handler may simply raise."""
    assert ask(b"/broken").status == 405


def test_what_is_remembered_is_bounded() -> None:
    """Visitors choose authorities."""
    names = ServedNames({"a.test": SITE})
    for port in range(1, 10_000):
        names.find(b"a.test:%d" % port)
    assert len(names._memo) <= 4096


@pytest.mark.parametrize(
    ("authority", "covered", "status"),
    [
        (b"shop.test", "shop.test", 200),
        (b"shop.test:8443", "shop.test", 200),
        (b"shop.test", "other.test", 421),
        (b"shop.test", None, 421),
        (b"a.test", "a.test", 200),
    ],
)
def test_a_name_on_demand_is_served_with_its_own_certificate_only(
    authority: bytes, covered: str | None, status: int
) -> None:
    """Only the certificate shows that the name is welcome: without TLS, or with another one, it is not ours."""
    table = RoutingTable(ServedNames({"a.test": SITE}), SITE)
    exchange = FakeExchange(Request(b"GET", b"https", authority, b"/", ()))
    exchange.peer = Peer("192.0.2.1", 1, covers=None if covered is None else covered.__eq__)
    table(exchange)
    assert exchange.head is not None
    assert exchange.head.status == status
