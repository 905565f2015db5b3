"""Applications that are elsewhere in the next configuration."""

from __future__ import annotations

from edge.config.address import UpstreamAddress, parse_upstream
from edge.config.moves import Move, find_moves
from edge.config.schema import Acme, Config, Listen, Route, Site


def origins(*texts: str) -> tuple[UpstreamAddress, ...]:
    return tuple(map(parse_upstream, texts))


def site(*upstreams: str, names: tuple[str, ...] = ("a.test",), ca: str = "", **routes: str) -> Site:
    """`routes`: prefix without its slash → origin."""
    return Site(
        names=names,
        upstreams=origins(*upstreams),
        upstream_ca=ca,
        routes=tuple(Route(f"/{prefix}", upstreams=origins(text)) for prefix, text in routes.items()),
    )


def moves(before: Site, *after: Site) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """From → to, in words."""
    found = find_moves(config(before), config(*after))
    return [(tuple(map(str, move.before)), tuple(map(str, move.after))) for move in found]


def config(*sites: Site) -> Config:
    return Config(sites=sites, listen=Listen(), acme=Acme("https://ca.test"), storage="/s", workers=1)


def test_a_site_that_moves() -> None:
    """From its old origins to its new ones, whatever their number; with what proves who they are."""
    assert moves(site("a:1"), site("a:2")) == [(("a:1",), ("a:2",))]
    assert moves(site("a:1"), site("a:1", "a:2")) == [(("a:1",), ("a:1", "a:2"))]
    found = find_moves(config(site("a:1")), config(site("https://a", ca="/roots.pem")))
    assert found == [Move("a.test", origins("a:1"), origins("https://a"), "/roots.pem")]


def test_what_stays_or_ends_has_not_moved() -> None:
    """The same origins, none any more, or no such site."""
    assert moves(site("a:1"), site("a:1")) == []
    assert moves(site("a:1"), site()) == []
    assert moves(site(), site("a:1")) == []
    assert moves(site("a:1"), site("a:2", names=("b.test",))) == []


def test_a_site_is_known_by_any_of_its_names() -> None:
    """Its first name may be another one now."""
    assert moves(site("a:1"), site("a:2", names=("www.a.test", "a.test"))) == [(("a:1",), ("a:2",))]


def test_routes_move_by_themselves() -> None:
    """To the same route, or to what holds its paths when it is gone."""
    before = site("a:1", api="b:1")
    assert moves(before, site("a:1", api="b:2")) == [(("b:1",), ("b:2",))]
    assert moves(before, site("a:1")) == [(("b:1",), ("a:1",))]
    assert moves(before, site("a:1", apia="b:2")) == [(("b:1",), ("a:1",))]
    assert moves(site("a:1", api="a:1"), site("a:2", api="a:3")) == [(("a:1",), ("a:2",))]
