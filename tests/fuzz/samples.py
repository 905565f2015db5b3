"""Where mutation begins: a few inputs of each kind, good and bad."""

from __future__ import annotations

import socket
import struct
from typing import Final

from edge.net.proxy_protocol import SIGNATURE
from tests.attacks.target import client_hello
from tests.wire import http2_frames as wire

_V4: Final = socket.inet_aton("203.0.113.9") + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 40000, 443)

HELLOS: Final = (client_hello("a.test"), client_hello("a.test")[:80], client_hello("a.test")[:5])

PROXY_HEADERS: Final = (
    b"PROXY TCP4 203.0.113.9 192.0.2.1 40000 443\r\n",
    b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 443\r\n",
    b"PROXY UNKNOWN\r\n",
    SIGNATURE + struct.pack("!BBH", 0x21, 0x11, len(_V4)) + _V4,
    SIGNATURE + struct.pack("!BBH", 0x21, 0x21, 36) + bytes(36),
    SIGNATURE + struct.pack("!BBH", 0x20, 0, 0),
)

PATHS: Final = (
    b"/",
    b"/a/b.css?v=1",
    b"/%2e%2e/x",
    b"/a/../../b",
    b"/%00",
    b"/a%2fb",
    b"//x",
    b"/\xff",
    b"/a/.",
    b"/%c0%ae",
)

RANGES: Final = (
    b"bytes=0-1",
    b"bytes=-5",
    b"bytes=5-",
    b"bytes=0-0,2-3,9999-",
    b"items=1-2",
    b"bytes=9-1",
    b"bytes=" + b"1-,",
)

FIELD_VALUES: Final = (
    b"host:a.test:8443",
    b"host:[::1]:443",
    b"content-length:012",
    b"date:Tue, 14 Nov 2023 22:13:20 GMT",
    b"date:Tuesday, 14-Nov-23 22:13:20 GMT",
    b"date:Tue Nov 14 22:13:20 2023",
    b"accept-encoding:gzip;q=0.5, br;q=1.0, *;q=0",
    b'forwarded:for="[2001:db8::1]:47";proto=https;host=a.test, for=192.0.2.1',
    b'if-none-match:W/"x", "y", *',
    b'if-match:"a,b"',
)

RESPONSES: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
    b'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n',
)

CONFIGURATIONS: Final = (
    b"[[site]]\nnames = ['a.test']\nupstream = '127.0.0.1:8000'\n",
    b"[listen]\nhttp_port = 0\nbind = '::1'\nmax_connections = 5\n[log]\naccess = 'off'\n",
    b"[acme]\nemail = 'a@b.test'\ndirectory = 'letsencrypt-staging'\n[[site]]\nnames = ['*.a.test']\n",
    b"[[site]]\nnames = ['a.test']\nmax_body = '1G'\nredirect = 'https://b.test'\n[site.headers]\nset = { x = 'y' }\n",
    b"[[site]]\nnames = ['a.test']\nrate = '10/s'\n[[site.route]]\npath = '/x'\nupstream = 'unix:/x.sock'\n",
    b"workers = 3\n[listen\n",
    "[[site]]\nnames = ['bücher.test', '192.0.2.1', '[::1]']\n".encode(),
)

FLAGS: Final = (
    b"domain\na.test\nupstream\n127.0.0.1:8000\nstatic\n/static=/tmp",
    b"http_port\n80\nhttps_port\n0x50\nworkers\n-1\nbind\n::\nemail\nx",
    b"trusted_proxies\ncloudflare\nloop\nuvloop\nhttp2_engine\nh2\naccess_log\n-",
)

FRAMES: Final = (
    wire.headers(1),
    wire.headers(1, wire.POST, end=False) + wire.data(1, b"x", end=True),
    wire.headers(1, (*wire.POST, (b"content-length", b"2")), end=False)
    + wire.data(1, b"x")
    + wire.headers(1, ((b"x", b"y"),)),
    wire.settings({1: 0, 3: 100, 4: 65535, 5: 16384}) + wire.ping() + wire.window_update(0, 1000),
    wire.headers(1) + wire.rst_stream(1) + wire.goaway(),
    wire.frame(wire.HEADERS, 1, 1, wire.block(wire.GET)[:5])
    + wire.frame(wire.CONTINUATION, 4, 1, wire.block(wire.GET)[5:]),
    wire.frame(wire.PRIORITY, 0, 3, b"\0\0\0\1x") + wire.frame(wire.PRIORITY_UPDATE, 0, 0, b"\0\0\0\1u=1,i"),
)
