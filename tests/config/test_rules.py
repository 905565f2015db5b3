"""Rules of sites and routes, and what their answers look like."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.duration import parse_duration
from edge.config.networks import PRIVATE, parse_networks, parse_trusted
from edge.config.password import hash_password, is_right, parse_hash
from edge.config.schema import Authentication, ErrorPage, FieldRules, Rate, Redirection, User
from tests.config.workspace import complaints_about, load_text

HASH = hash_password("x")
SITE = '[[site]]\nnames = "a.test"\nupstream = "8000"\n'

GOLDEN = [
    ("hsts = 'x'", "hsts of [[site]] 1: 'x' is no duration; write a number and a unit, like 30s, 5m, 12h, 30d or 1y"),
    ("hsts_preload = true",
     "hsts_preload of [[site]] 1: without hsts this means nothing; add hsts = \"5m\" and lengthen it when all works"),
    ("hsts = '5m'\nhsts_preload = true",
     "hsts_preload of [[site]] 1: browsers take a name only with hsts = \"1y\" and hsts_subdomains = true"),
    ("rate = '10'", "rate of [[site]] 1: '10' is no rate; write requests per second, minute or hour, like \"10/s\" or \"300/m\""),
    ("rate_burst = 3", "rate_burst of [[site]] 1: a burst needs a rate beside it, like rate = \"10/s\""),
    ("allow = '10.0.0.1/8'", "allow of [[site]] 1: '10.0.0.1/8' has bits behind its mask; did you mean 10.0.0.0/8 ?"),
    ("deny = 'everyone'",
     "deny of [[site]] 1: 'everyone' is no network; write one like 10.0.0.0/8, an address, or private"),
    ("redirect_status = 301", "redirect_status of [[site]] 1: nothing is redirected; add redirect = \"example.com\""),
    ("compress = 'yes'", "compress of [[site]] 1: write true, false or 'always'"),
    ("auth = true", "auth of [[site]] 1: write a table, or false"),
    ("error_pages = { 200 = 'x' }", "error_pages of [[site]] 1: '200' is no error status; write one from 400 to 599"),
    ("[site.headers]\nset = { Content-Length = '1' }",
     "headers.set of [[site]] 1: 'Content-Length' belongs to edge: it says how a message is framed or coded"),
    ("[site.headers]\nset = { A = \"b\\r\\nc\" }",
     "headers.set of [[site]] 1: 'b\\r\\nc' is no field value; write ASCII text in one line, without space around it"),
    ("[site.headers]\nad = { A = 'b' }", "headers.ad of [[site]] 1: unknown key; did you mean 'add'?"),
    ("[site.auth]\nuser = 3", "auth.user of [[site]] 1: unknown key; did you mean 'users'?"),
    ("[site.auth]\nrealm = 'x'",
     "auth.realm of [[site]] 1: nobody may pass: add users = { name = hash }, with hashes from edge hash-password"),
    ("[site.auth]\nusers = { a = 'geheim' }",
     "auth.users of [[site]] 1: 'a': this is no password hash; make one with: edge hash-password"),
    ("[[site.route]]\nmax_body = 1", "[[site.route]] 1 of [[site]] 1: no path says which part this is; add path = \"/api\""),
    ("[[site.route]]\npath = 'api'",
     "path of [[site.route]] 1 of [[site]] 1: 'api': a URL prefix begins with a slash, like /static"),
    ("[[site.route]]\npath = '/a'\nmax_bdy = 1",
     "max_bdy of [[site.route]] 1 of [[site]] 1: unknown key; did you mean 'max_body'?"),
    ("[[site.route]]\npath = '/a'\n[[site.route]]\npath = '/a/'",
     "path of [[site.route]] 2 of [[site]] 1: there is a route for '/a' already"),
    ("[[site.route]]\npath = '/a'\n[site.route.auth]\nusers = {}",
     "auth.users of [[site.route]] 1 of [[site]] 1: nobody may pass; add a user, with a hash from edge hash-password"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "complaint"), GOLDEN)
def test_a_complaint_names_line_key_and_remedy(tmp_path: Path, text: str, complaint: str) -> None:
    """In sites, in their inner tables and in routes."""
    (found,) = complaints_about(tmp_path, SITE + text)
    place, _, sentence = found.partition(": ")
    assert sentence == complaint
    file, _, line = place.partition(":")
    assert file == "edge.toml"
    written = (SITE + text).splitlines()[int(line) - 1]
    key = complaint.split(" of ", 1)[0].rpartition(".")[2]
    assert key in written or "[[site.route]]" in written


def test_a_route_takes_what_it_does_not_say(tmp_path: Path) -> None:
    """From the next shorter prefix, in the end from the site; the order in the file does not matter."""
    config = load_text(
        tmp_path,
        f"""
        [[site]]
        upstream = "8000"
        max_body = "1K"
        rate = "60/m"
        [site.auth]
        users = {{ anna = "{HASH}" }}
        [[site.route]]
        path = "/a/b"
        rate = "off"
        [[site.route]]
        path = "/a"
        max_body = "2K"
        first_byte_timeout = "5m"
        auth = false
        [[site.route]]
        path = "/ab"
        upstream = "9000"
        rate = "5/s"
        rate_burst = 7
        """,
    )
    (site,) = config.sites
    routes = {route.prefix: route for route in site.routes}
    auth = Authentication((User("anna", HASH),))
    assert (site.max_body, site.auth, site.rate) == (1024, auth, Rate(1.0, 10))
    assert (routes["/a"].max_body, routes["/a"].auth, routes["/a"].rate) == (2048, None, Rate(1.0, 10))
    assert (routes["/a/b"].max_body, routes["/a/b"].rate, routes["/a/b"].first_byte_timeout) == (2048, None, 300.0)
    assert (routes["/ab"].auth, routes["/ab"].rate, routes["/ab"].max_body) == (auth, Rate(0.2, 7), 1024)
    assert routes["/a/b"].upstreams == site.upstreams != routes["/ab"].upstreams


def test_answers_of_a_site(tmp_path: Path) -> None:
    """Every key reaches its field."""
    (tmp_path / "e.html").write_text("x")
    (site,) = load_text(
        tmp_path,
        """
        [[site]]
        hsts = "1y"
        hsts_subdomains = true
        hsts_preload = true
        compress = true
        error_pages = { 502 = "e.html" }
        headers = { remove = "Server", set = { X-A = "1" }, add = { X-B = ["2", "3"] } }
        """,
    ).sites
    assert site.hsts == "max-age=31536000; includeSubDomains; preload"
    assert site.compress == "careful"
    assert site.error_pages == (ErrorPage(502, f"{tmp_path}/e.html"),)
    assert site.fields == FieldRules(("server",), (("x-a", "1"),), (("x-b", "2"), ("x-b", "3")))


@pytest.mark.parametrize(
    ("text", "target"),
    [("B.Test", "b.test"), ("https://b.test/", "https://b.test"), ("http://b.test:8080", "http://b.test:8080"),
     ("https://[2001:db8::1]", "https://[2001:db8::1]")],
)  # fmt: skip
def test_a_redirect_site_names_a_host(tmp_path: Path, text: str, target: str) -> None:
    """And nothing but a host."""
    (site,) = load_text(tmp_path, f'[[site]]\nredirect = "{text}"').sites
    assert site.redirect == Redirection(target, 308)


@pytest.mark.parametrize(
    "text", ["https://b.test/x", "ftp://b.test", "https://a@b.test", "*.b.test", "https://", "b.test/x"]
)
def test_a_redirect_to_anything_else_is_refused(tmp_path: Path, text: str) -> None:
    """A path would promise what is not done."""
    assert len(complaints_about(tmp_path, f'[[site]]\nredirect = "{text}"')) == 1


def test_a_redirect_site_has_nothing_else(tmp_path: Path) -> None:
    """What would never be asked for is a mistake."""
    text = '[[site]]\nredirect = "b.test"\nupstream = "8000"\n[[site.route]]\npath = "/a"\n'
    assert [each.split(": ")[0] for each in complaints_about(tmp_path, text)] == ["edge.toml:3", "edge.toml:4"]


def test_trusted_networks(tmp_path: Path) -> None:
    """Words stand for lists; a list in the storage directory replaces the shipped one, a broken one is refused whole."""
    storage = tmp_path / "storage"
    assert parse_networks("private") == PRIVATE
    assert "104.16.0.0/13" in parse_trusted("cloudflare", str(storage))
    (storage / "ranges").mkdir(parents=True)
    own = storage / "ranges" / "cloudflare.txt"
    own.write_text("# mine\n192.0.2.0/24\n\n2001:db8::/32\n")
    assert parse_trusted("cloudflare", str(storage)) == ("192.0.2.0/24", "2001:db8::/32")
    for broken in ("", "<html>", "192.0.2.1/24\n"):
        own.write_text(broken)
        with pytest.raises(ValueError, match=r"cloudflare\.txt"):
            parse_trusted("cloudflare", str(storage))


def test_proxy_protocol_needs_somebody_to_trust(tmp_path: Path) -> None:
    """Else every connection would be refused, or everybody believed."""
    assert len(complaints_about(tmp_path, "[listen]\nproxy_protocol = true\n")) == 1
    listen = load_text(
        tmp_path, "[listen]\nproxy_protocol = true\ntrusted_proxies = ['10.0.0.0/8', 'cloudflare']\n"
    ).listen
    assert listen.proxy_protocol
    assert listen.trusted_proxies == ("10.0.0.0/8", *listen.cloudflare)


def test_a_password_hash_knows_its_password() -> None:
    """And no other; the same password never hashes to the same text."""
    known = parse_hash(HASH)
    assert is_right(b"x", known)
    assert not is_right(b"y", known)
    assert not is_right(b"x" * 2000, known)
    assert hash_password("x") != HASH
    assert "digest" not in repr(known)


@pytest.mark.parametrize(
    "text",
    ["", "x", HASH + "=", HASH.replace("ln=14", "ln=30"), HASH.replace("r=8", "r=99"), HASH.replace("ln=14", "ln=1")],
)
def test_a_hash_that_costs_too_much_or_too_little_is_refused(text: str) -> None:
    """A typed digit must not stop a worker; the complaint does not repeat what may be a password."""
    with pytest.raises(ValueError, match="edge hash-password") as caught:
        parse_hash(text)
    assert not text or text not in str(caught.value).replace("this is no password hash", "")


@given(st.text(max_size=30))
def test_any_duration_is_positive_or_refused(text: str) -> None:
    """Nothing else comes out."""
    with contextlib.suppress(ValueError):
        assert 0 < parse_duration(text) <= 10 * 365 * 86400


@given(st.text(alphabet="0123456789abcdef.:/ x", max_size=30))
def test_any_network_is_canonical_or_refused(text: str) -> None:
    """Parsing what came out gives the same."""
    with contextlib.suppress(ValueError):
        networks = parse_networks(text)
        assert tuple(part for each in networks for part in parse_networks(each)) == networks
