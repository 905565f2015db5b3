"""The checks behind the rows: each asks a running site, over TLS, for what its title says."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path
from typing import Final

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.blackbox.asking import wait_until
from tests.blackbox.http2_visitor import HTTP2Visitor
from tests.blackbox.load import trusting
from tests.blackbox.upstreams.matrix import NO, YES, feature, no_or_yes
from tests.blackbox.upstreams.servers import SERVERS
from tests.blackbox.upstreams.site import Site, json_of
from tests.blackbox.visitor import TIMEOUT, Response
from tests.wire import http2_frames as wire

MIB: Final = 1024 * 1024
UPLOAD: Final = bytes(range(256)) * (8 * 4096)
"""8 MiB."""

VISITOR: Final = "127.0.0.2"
"""An address of a visitor that is not edge's own."""


def arrived(response: Response, body: bytes) -> bool:
    """Whether the application has read exactly this body."""
    return bool(json_of(response) == {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()})


# -- requests -----------------------------------------------------------------------------------------------------------


@feature("GET")
def get(site: Site) -> str:
    response = site.ask("/")
    return no_or_yes((response.status, response.body) == (200, b"hello"))


@feature("HEAD: length kept, no body, the next request is right")
def head(site: Site) -> str:
    with site.dial() as visitor:
        request = f" / HTTP/1.1\r\nHost: {site.host}\r\n\r\n".encode()
        first = visitor.send(b"HEAD" + request).read(b"HEAD")
        second = visitor.send(b"GET" + request).read()
    assert (first.status, second.status, second.body) == (200, 200, b"hello")
    return no_or_yes(first.field(b"content-length") == b"5")


@feature("204 and 304: no body, the next request is right")
def bodiless(site: Site) -> str:
    with site.dial() as visitor:
        for target, status in (("/nothing", 204), ("/", 200), ("/unchanged", 304), ("/", 200)):
            response = visitor.send(f"GET {target} HTTP/1.1\r\nHost: {site.host}\r\n\r\n".encode()).read()
            assert (response.status, response.body) == (status, b"hello" if status == 200 else b"")
    return YES


@feature("POST with a length")
def post(site: Site) -> str:
    return no_or_yes(arrived(site.ask("/echo", method="POST", body=b"a=1&b=2"), b"a=1&b=2"))


@feature("POST in chunks (HTTP/1.1): Django sees the whole body")
def chunked(site: Site) -> str:
    head = f"POST /echo HTTP/1.1\r\nHost: {site.host}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    with site.dial() as visitor:
        response = visitor.send(head, b"3\r\na=1\r\n", b"4\r\n&b=2\r\n0\r\n\r\n").read()
    return no_or_yes(arrived(response, b"a=1&b=2"))


@feature("POST without a length (HTTP/2): Django sees the whole body")
def http2_body(site: Site) -> str:
    fields = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", site.host.encode()), (b":path", b"/echo")]
    with HTTP2Visitor(site.edge.https_port, name=site.name) as visitor:
        visitor.send(wire.headers(1, fields, end=False), wire.data(1, b"a=1&"), wire.data(1, b"b=2", end=True))
        assert visitor.wait(1) == 200
        told = Response(200, (), visitor.body(1))
    return no_or_yes(arrived(told, b"a=1&b=2"))


@feature("upload of 8 MiB")
def upload(site: Site) -> str:
    return no_or_yes(arrived(site.ask("/echo", method="POST", body=UPLOAD), UPLOAD))


@feature("`Expect: 100-continue`")
def expect(site: Site) -> str:
    head = f"POST /echo HTTP/1.1\r\nHost: {site.host}\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n"
    with site.dial() as visitor:
        assert visitor.send(head.encode()).read_head()[0] == 100
        return no_or_yes(arrived(visitor.send(b"a=1&b=2").read(), b"a=1&b=2"))


@feature("6 KiB of cookies")
def cookies(site: Site) -> str:
    value = "c=" + "x" * 6 * 1024
    return no_or_yes(json_of(site.ask("/about", f"Cookie: {value}"))["fields"]["HTTP_COOKIE"] == value)


@feature("paths beyond ASCII, `//` inside, `%2F` decoded once; the query as it was sent")
def paths(site: Site) -> str:
    told = json_of(site.ask("/about/%C3%A9//a%2Fb%20c?q=%20%2F"))
    return no_or_yes((told["path"], told["query"]) == ("/about/é//a/b c", "q=%20%2F"))


# -- responses ----------------------------------------------------------------------------------------------------------


@feature("download of 16 MiB")
def download(site: Site) -> str:
    response = site.ask(f"/big/{16 * MIB}")
    return no_or_yes((response.status, len(response.body)) == (200, 16 * MIB))


@feature("streamed responses arrive piece by piece")
def streaming(site: Site) -> str:
    return _arrives_in_pieces(site, "")


@feature("server-sent events arrive one by one")
def events(site: Site) -> str:
    return _arrives_in_pieces(site, "?type=text/event-stream")


def _arrives_in_pieces(site: Site, query: str) -> str:
    """The application does not go on before the test has seen its first piece."""
    mark = site.new_mark()
    with site.dial() as visitor:
        visitor.send(f"GET /stream/{mark}{query} HTTP/1.1\r\nHost: {site.host}\r\n\r\n".encode())
        assert visitor.read_head()[0] == 200
        visitor.read_through(b"data: 1\n\n")
        (site.directory / f"go-{mark}").touch()
        visitor.read_through(b"data: 2\n\n")
    return YES


@feature("a visitor who leaves ends the work of the application")
def client_gone(site: Site) -> str:
    mark = site.new_mark()
    with site.dial() as visitor:
        visitor.send(f"GET /endless/{mark} HTTP/1.1\r\nHost: {site.host}\r\n\r\n".encode())
        assert visitor.read_head()[0] == 200
    wait_until((site.directory / f"end-{mark}").exists, what="the end of the application's work")
    return no_or_yes(site.ask("/").status == 200)


@feature(
    "WebSocket",
    {
        **dict.fromkeys(SERVERS, "no: 404"),
        **dict.fromkeys(("uvicorn", "granian-asgi"), YES),
        "uwsgi": "no: 501",
    },
    "WSGI has no WebSockets: the application answers the request as any other (here Django's 404). The uwsgi protocol cannot "
    "carry one, so edge answers 501 itself.",
)
def websocket(site: Site) -> str:
    sock = socket.create_connection(("127.0.0.1", site.edge.https_port), TIMEOUT)
    try:
        with connect(f"wss://{site.host}/socket", sock=sock, ssl=trusting(), compression=None, proxy=None) as client:
            client.send("hello")
            return no_or_yes(client.recv(TIMEOUT) == "hello")
    except InvalidStatus as error:
        return f"no: {error.response.status_code}"
    finally:
        sock.close()


# -- connections --------------------------------------------------------------------------------------------------------


@feature(
    "connections are used again",
    dict.fromkeys(("gunicorn-sync", "uwsgi-http", "uwsgi"), "one request each"),
    "gunicorn's sync workers and uWSGI close after each response; edge opens a new connection for each request.",
)
def reuse(site: Site) -> str:
    for _ in range(3):  # the pool keeps a connection for 1.5 s, which a busy machine can miss
        site.ask("/")
        before = _connections_to(site.process.port)
        site.ask("/")
        if before & _connections_to(site.process.port):
            return YES
    return "one request each"


def _connections_to(port: int) -> set[int]:
    """Local ports of the established connections to a port of 127.0.0.1."""
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, *_ = line.split()
        if state == "01" and int(remote.partition(":")[2], 16) == port:
            found.add(int(local.partition(":")[2], 16))
    return found


@feature("unix socket")
def unix_socket(site: Site) -> str:
    body = b"x" * MIB
    return no_or_yes(arrived(site.ask("/echo", method="POST", body=body, name=site.unix_name), body))


@feature("stopped and started again under load: no visitor sees an error")
def restart(site: Site) -> str:
    failures = site.restarts.failures(site.process.server.key)
    return YES if not failures else f"no: {failures[0]}"


# -- what Django believes -----------------------------------------------------------------------------------------------

FORGED: Final = tuple(
    f"{name}: {value}"
    for name, value in (
        ("X-Forwarded-For", "6.6.6.6"), ("X_Forwarded_For", "6.6.6.6"), ("X-Real-IP", "6.6.6.6"), ("Forwarded", "for=6.6.6.6"),
        ("X-Forwarded-Host", "evil.test"), ("X_Forwarded_Host", "evil.test"), ("X-Forwarded-Proto", "http"),
        ("X_Forwarded_Proto", "http"), ("X-Forwarded-Ssl", "off"), ("X-Forwarded-Port", "1"), ("Proxy", "evil.test"),
        ("Remote_Addr", "6.6.6.6"), ("UWSGI-FILE", "/6.6.6.6"), ("Content_Length", "6"),
    )
)  # fmt: skip
"""What a visitor might write to be taken for somebody else."""


@feature(
    "`request.scheme` is https with no setting of Django",
    dict.fromkeys(("granian-asgi", "granian-wsgi"), NO),
    "granian does not read `X-Forwarded-Proto`; the setting of the next row lets Django read it. waitress reads it with the "
    "flags shown below; without them it removes the field, so that the setting does not help either.",
)
def scheme(site: Site) -> str:
    return no_or_yes(json_of(site.ask("/about", *FORGED))["scheme"] == "https")


@feature("`request.scheme` is https with `SECURE_PROXY_SSL_HEADER`")
def scheme_by_header(site: Site) -> str:
    return no_or_yes(json_of(site.ask("/about", *FORGED))["scheme by header"] == "https")


@feature("`request.get_host()` is what the visitor asked for")
def host(site: Site) -> str:
    told = json_of(site.ask("/about", *FORGED))
    assert told["fields"]["HTTP_X_FORWARDED_HOST"] == site.host
    return no_or_yes(told["host"] == site.host)


@feature(
    "the visitor's address is in",
    {
        **dict.fromkeys(SERVERS, "`X-Forwarded-For`"),
        **dict.fromkeys(("uvicorn", "uwsgi", "waitress"), "`REMOTE_ADDR`"),
    },
    "`X-Forwarded-For` and `X-Real-IP` hold the visitor's address and nothing else, everywhere. Where the cell says so, "
    "`REMOTE_ADDR` is the visitor's as well instead of edge's.",
)
def address(site: Site) -> str:
    told = json_of(site.ask("/about", *FORGED, source=VISITOR))
    assert told["fields"]["HTTP_X_FORWARDED_FOR"] == told["fields"]["HTTP_X_REAL_IP"] == VISITOR
    return "`REMOTE_ADDR`" if told["address"] == VISITOR else "`X-Forwarded-For`"


@feature("forged fields never arrive")
def forged(site: Site) -> str:
    told = json_of(site.ask("/about", *FORGED))
    forgeries = {name: value for name, value in told["fields"].items() if "6.6.6.6" in value or "evil" in value}
    return no_or_yes(forgeries in ({}, {"HTTP_UWSGI_FILE": "/6.6.6.6"}))
