"""Plain HTTP: a redirect to our own names and nowhere else."""

from __future__ import annotations

import pytest

from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.recording_origin import RecordingOrigin
from tests.blackbox.visitor import Response, Visitor, dial


def ask(site: EdgeProcess, line: bytes, host: bytes = b"a.test") -> Response:
    with Visitor(dial(site.http_port)) as visitor:
        visitor.send(line + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
        return visitor.read(line.partition(b" ")[0])


TARGETS = {
    b"/": b"/",
    b"/a?b=c&d=%20": b"/a?b=c&d=%20",
    b"//evil": b"//evil",
    b"///evil": b"///evil",
    b"/%5cevil": b"/%5cevil",
    b"/@evil": b"/@evil",
    b"/a//b/../c": b"/a//b/../c",
    b"/%0d%0aSet-Cookie:%20x": b"/%0d%0aSet-Cookie:%20x",
    b"http://a.test/x": b"/x",
    b"http://A.TEST:80/x": b"/x",
    b"http://a.test": b"/",
    b"/?u=https://evil": b"/?u=https://evil",
}


@pytest.mark.parametrize("target", TARGETS, ids=bytes.decode)
def test_the_redirect_keeps_the_target(site: EdgeProcess, target: bytes) -> None:
    """308 to the same path and query below our own name: an absolute URL, so `//evil` leads nowhere else."""
    response = ask(site, b"GET " + target)
    assert response.status == 308
    assert response.field(b"location") == b"https://a.test:%d%b" % (site.https_port, TARGETS[target])


@pytest.mark.parametrize(
    "method", [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"], ids=bytes.decode
)
def test_every_method_is_redirected(site: EdgeProcess, method: bytes) -> None:
    """308 keeps method and body (RFC 9110 §15.4.9)."""
    assert ask(site, method + b" /x").status == 308


HOSTS = {b"A.Test": b"a.test", b"a.test:80": b"a.test", b"a.test:8080": b"a.test", b"a.test.": None, b"[::1]": b"[::1]",
         b"[0:0:0:0:0:0:0:1]": b"[::1]"}  # fmt: skip


@pytest.mark.parametrize("host", HOSTS, ids=bytes.decode)
def test_our_names_in_any_spelling(site: EdgeProcess, host: bytes) -> None:
    """The URL has the configured spelling and our port, whatever the visitor wrote."""
    response = ask(site, b"GET /", host)
    wanted = HOSTS[host]
    assert response.status in (308, 421)
    if wanted or response.status == 308:
        assert response.field(b"location") == b"https://%b:%d/" % (wanted or b"a.test", site.https_port)


STRANGERS = [b"evil", b"evil.test", b"a.test.evil", b"xa.test", b"127.0.0.1", b"[::2]", b"localhost", b"www.a.test"]


@pytest.mark.parametrize("host", STRANGERS, ids=bytes.decode)
@pytest.mark.parametrize("target", [b"/", b"//a.test/", b"/.well-known/acme-challenge/token"], ids=bytes.decode)
def test_strangers_are_not_redirected(site: EdgeProcess, origin: RecordingOrigin, host: bytes, target: bytes) -> None:
    """421 for a Host that is not ours: never a redirect, never the application."""
    origin.requests.clear()
    response = ask(site, b"GET " + target, host)
    assert response.status == 421
    assert response.field(b"location") is None
    assert origin.requests == []


BAD = [
    (b"GET http://evil/", b"a.test"),
    (b"GET http://a.test@evil/", b"a.test"),
    (b"GET http://user@a.test/", b"a.test"),
    (b"GET https://a.test/", b"evil"),
    (b"GET ftp://a.test/", b"a.test"),
    (b"GET /\\evil", b"a.test"),
    (b"GET /", b"a.test@evil"),
    (b"GET /", b"a.test, evil"),
    (b"GET /", b"a.test:99999"),
    (b"CONNECT a.test:443", b"a.test:443"),
]


@pytest.mark.parametrize(("line", "host"), BAD, ids=[f"{line.decode()} {host.decode()}" for line, host in BAD])
def test_trickery_is_refused(site: EdgeProcess, line: bytes, host: bytes) -> None:
    """Absolute-form with another host, userinfo, lists: 4xx and no Location."""
    response = ask(site, line, host)
    assert 400 <= response.status < 500
    assert response.field(b"location") is None


TOKEN = b"/.well-known/acme-challenge/0123456789abcdefABCDEF_-"


def test_an_unknown_token_goes_to_the_application(site: EdgeProcess, origin: RecordingOrigin) -> None:
    """Another ACME client may run behind edge; the application sees a plain HTTP request."""
    origin.requests.clear()
    assert ask(site, b"GET " + TOKEN).status == 200
    assert origin.requests[0].startswith(b"GET " + TOKEN + b" HTTP/1.1\r\nhost: a.test\r\n")
    assert b"\r\nx-forwarded-proto: http\r\n" in origin.requests[0]
    assert b"\r\nx-forwarded-port: 80\r\n" in origin.requests[0]


NO_TOKENS = [
    b"GET /.well-known/acme-challenge/",
    b"GET /.well-known/acme-challenge/a/b",
    b"GET /.well-known/acme-challenge/../x",
    b"GET /.well-known/acme-challenge/..%2fx",
    b"GET /.well-known/acme-challenge/a%20b",
    b"GET /.well-known/acme-challenge/" + b"a" * 129,
    b"GET " + TOKEN + b"?x",
    b"GET //.well-known/acme-challenge/x",
    b"GET /.well-known/../.well-known/acme-challenge/x",
    b"GET /x/../.well-known/acme-challenge/x",
    b"POST " + TOKEN,
    b"PUT " + TOKEN,
]


@pytest.mark.parametrize("line", NO_TOKENS, ids=bytes.decode)
def test_only_exact_challenge_paths_pass_the_redirect(site: EdgeProcess, origin: RecordingOrigin, line: bytes) -> None:
    """Whatever resembles one takes the ordinary way."""
    origin.requests.clear()
    assert ask(site, line).status == 308
    assert origin.requests == []


def test_http2_is_not_spoken(site: EdgeProcess) -> None:
    """Neither with prior knowledge nor by upgrade."""
    with Visitor(dial(site.http_port)) as visitor:
        visitor.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        assert visitor.read().status == 505
        assert visitor.is_closed()
    with Visitor(dial(site.http_port)) as visitor:
        visitor.send(
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n\r\n"
        )
        assert visitor.read().status == 308


def test_redirects_follow_each_other_on_a_connection(site: EdgeProcess) -> None:
    """The connection is kept, also behind an unread body."""
    with Visitor(dial(site.http_port)) as visitor:
        for _ in range(3):
            visitor.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
            assert visitor.read().status == 308
