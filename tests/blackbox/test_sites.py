"""Sites and routes of an edge.toml, seen from outside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edge.config.password import hash_password
from tests.blackbox.curl import curl
from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.recording_origin import RecordingOrigin

CONFIG = """
[[site]]
names = ["localhost", "site.test"]
upstream = "127.0.0.1:{port}"
static = {{ "/static" = "static", "/staff/static" = "static" }}
max_body = "1K"
hold_seconds = 0
hsts = "5m"
hsts_subdomains = true
error_pages = {{ 404 = "404.html", 502 = "502.html" }}

[site.headers]
set = {{ X-Frame-Options = "DENY" }}
add = {{ Link = ["</a>", "</b>"] }}
remove = "X-Secret"

[[site.route]]
path = "/staff"
[site.route.auth]
realm = "Staff"
users = {{ anna = "{hash}" }}

[[site.route]]
path = "/staff/health"
auth = false

[[site.route]]
path = "/closed"
allow = "192.0.2.0/24"

[[site.route]]
path = "/big"
max_body = "1M"

[[site.route]]
path = "/limited"
rate = "1/h"
rate_burst = 3

[[site.route]]
path = "/text"
upstream = "127.0.0.1:{text_port}"
compress = true

[[site.route]]
path = "/down"
upstream = "127.0.0.1:9"

[[site]]
names = ["www.site.test", "old.test"]
redirect = "site.test"

[[site]]
names = ["moved.test"]
redirect = "https://elsewhere.example"
redirect_status = 301
"""

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Secret: 1\r\nX-Frame-Options: SAMEORIGIN\r\nLink: </own>\r\n\r\nok\n"
)


@pytest.fixture(scope="module")
def origin() -> Iterator[RecordingOrigin]:
    with RecordingOrigin(ANSWER) as running:
        yield running


TEXT = b"the same words again\n" * 400


@pytest.fixture(scope="module")
def text_origin() -> Iterator[RecordingOrigin]:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(TEXT)
    with RecordingOrigin(head + TEXT) as running:
        yield running


@pytest.fixture(scope="module")
def edge(
    tmp_path_factory: pytest.TempPathFactory, origin: RecordingOrigin, text_origin: RecordingOrigin
) -> Iterator[EdgeProcess]:
    directory = tmp_path_factory.mktemp("sites")
    (directory / "static").mkdir()
    (directory / "static" / "a.txt").write_text("static")
    (directory / "404.html").write_text("<h1>lost {request_id}</h1>")
    (directory / "502.html").write_text("<h1>away</h1>")
    (directory / "edge.toml").write_text(
        CONFIG.format(port=origin.port, text_port=text_origin.port, hash=hash_password("s3cret"))
    )
    with EdgeProcess(directory, "--config", str(directory / "edge.toml")) as running:
        yield running


def test_a_redirect_site_keeps_path_and_query(edge: EdgeProcess) -> None:
    """www goes to the bare name with everything behind the host, byte for byte."""
    reply = curl(edge, "https://www.site.test/a%20b/?q=1&r=%2F")
    assert (reply.status, reply.field("location")) == (
        308,
        f"https://site.test:{edge.https_port}/a%20b/?q=1&r=%2F",
    )
    assert curl(edge, "https://moved.test/x").field("location") == "https://elsewhere.example/x"
    assert curl(edge, "https://moved.test/x").status == 301


@pytest.mark.parametrize("path", ["/", "/static/a.txt"])
def test_field_rules_hold_for_every_answer(edge: EdgeProcess, path: str) -> None:
    """What is set replaces, what is added stands beside, what is removed is gone; HSTS is said once."""
    reply = curl(edge, f"https://site.test{path}")
    assert reply.status == 200
    assert reply.field("x-frame-options") == "DENY"
    assert reply.fields["link"][-2:] == ["</a>", "</b>"]
    assert reply.field("x-secret") is None
    assert reply.field("strict-transport-security") == "max-age=300; includeSubDomains"


def test_an_error_page_of_the_site_has_its_fields(edge: EdgeProcess) -> None:
    """Browsers see the operator's page with the request id, programs JSON."""
    reply = curl(edge, "https://site.test/static/none")
    assert reply.status == 404
    assert reply.body == f"<h1>lost {reply.field('x-request-id')}</h1>".encode()
    assert reply.field("x-frame-options") == "DENY"
    assert curl(edge, "https://site.test/static/none", "-H", "Accept: application/json").body.startswith(b"{")
    down = curl(edge, "https://site.test/down")
    assert (down.status, down.body) == (502, b"<h1>away</h1>")


def test_hsts_is_not_said_over_plain_http(edge: EdgeProcess) -> None:
    """RFC 6797 §7.2."""
    assert "strict-transport-security" not in curl(edge, "http://site.test/").fields


def test_the_longest_route_rules(edge: EdgeProcess, origin: RecordingOrigin) -> None:
    """A body limit of a part holds for it and for nothing else."""
    body = "x" * 2000
    assert curl(edge, "https://site.test/upload", "-d", body).status == 413
    assert curl(edge, "https://site.test/big/upload", "-d", body).status == 200
    assert curl(edge, "https://site.test/bigger", "-d", body).status == 413


def test_a_password_is_asked_for_and_not_passed_on(edge: EdgeProcess, origin: RecordingOrigin) -> None:
    """401 with the realm; the right one goes through, to static files below the route too; the application never sees it."""
    refused = curl(edge, "https://site.test/staff/x")
    assert (refused.status, refused.field("www-authenticate")) == (401, 'Basic realm="Staff", charset="UTF-8"')
    assert curl(edge, "https://site.test/staff/static/a.txt").status == 401
    assert curl(edge, "https://site.test/staff/x", "-u", "anna:wrong").status == 401
    assert curl(edge, "https://site.test/staff/x", "-u", "bob:s3cret").status == 401
    before = len(origin.requests)
    for _ in range(2):
        assert curl(edge, "https://site.test/staff/x", "-u", "anna:s3cret", "-d", "body").status == 200
    assert curl(edge, "https://site.test/staff/static/a.txt", "-u", "anna:s3cret").body == b"static"
    assert all(b"uthorization" not in each and each.endswith(b"body") for each in origin.requests[before:])


def test_a_route_can_open_what_is_closed_around_it(edge: EdgeProcess) -> None:
    """A health check below a password."""
    assert curl(edge, "https://site.test/staff/health").status == 200


def test_dots_lead_around_no_rule(edge: EdgeProcess) -> None:
    """A path that changes sides is refused."""
    assert curl(edge, "https://site.test/x/../staff/x").status == 400
    assert curl(edge, "https://site.test/%73taff/x").status == 401


def test_an_address_that_is_not_allowed_gets_403(edge: EdgeProcess) -> None:
    """Whatever it claims to be."""
    assert curl(edge, "https://site.test/closed/x", "-H", "X-Forwarded-For: 192.0.2.1").status == 403


def test_a_rate_is_shared_by_all_workers(edge: EdgeProcess) -> None:
    """Two workers, new connections each time: the burst, then 429 with the time to wait."""
    replies = [curl(edge, "https://site.test/limited") for _ in range(12)]
    assert [reply.status for reply in replies] == [200] * 3 + [429] * 9
    assert 3000 < int(replies[-1].field("retry-after") or 0) <= 3600


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_text_is_compressed_where_it_is_wanted(edge: EdgeProcess, version: str) -> None:
    """curl decodes it to what the application wrote; with a cookie it stays as it is."""
    reply = curl(edge, "https://site.test/text", version, "--compressed", "-H", "Accept-Encoding: gzip")
    assert (reply.field("content-encoding"), reply.body) == ("gzip", TEXT)
    assert int(reply.field("content-length") or len(TEXT)) < len(TEXT) / 10
    plain = curl(edge, "https://site.test/text", version, "--compressed", "-H", "Cookie: sessionid=1")
    assert (plain.field("content-encoding"), plain.body) == (None, TEXT)
