"""Requests that a strict HTTP/1.1 server must refuse, and neighbours of theirs that it must accept.

Each row of `REFUSED` is a name, the bytes, and the status that must answer them; `ABORTED` breaks only after the head was
valid, so the request ends without being complete; `ACCEPTED` is legal though unusual, with the requests that must come out.
Grouped as a smuggling checklist is: lengths, codings, lines, targets, hosts, chunks.
"""

from __future__ import annotations

from typing import Final

HOST: Final = b"Host: a\r\n"
OK: Final = b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n"


def head(*lines: bytes, first: bytes = b"POST / HTTP/1.1") -> bytes:
    """A head with a valid Host and these field lines."""
    return b"\r\n".join((first, b"Host: a", *lines, b"", b""))


def chunked(body: bytes) -> bytes:
    """A request with this raw chunked body."""
    return head(b"Transfer-Encoding: chunked") + body


_FIELD_SYNTAX: Final = {
    "space before colon": b"X : y",
    "tab before colon": b"X\t: y",
    "space before colon of content-length": b"Content-Length : 5",
    "space before colon of transfer-encoding": b"Transfer-Encoding : chunked",
    "space in name": b"X Y: z",
    "empty name": b": y",
    "no colon": b"nonsense",
    "bad name character": b"X(y): z",
    "name with 0x85": b"Transfer\x85Encoding: chunked",
    "name with 0xa0": b"Transfer-Encoding\xa0: chunked",
    "name with 0xad": b"Transfer-\xadEncoding: chunked",
    "obs-fold": b"X: y\r\n z",
    "obs-fold with tab": b"Transfer-Encoding:\r\n\tchunked",
    "NUL in value": b"X: a\x00b",
    "control in value": b"X: a\x01b",
    "DEL in value": b"X: a\x7fb",
    "bare CR in value": b"X: a\rb",
    "bare CR and a header behind it": b"X: a\rContent-Length: 5",
    "CR CR LF": b"X: a\r",
    "bare LF between fields": b"X: a\nY: b",
    "bare LF hides a length": b"X: a\nContent-Length: 5",
}

_LENGTHS: Final = {
    "two equal": (b"Content-Length: 2", b"Content-Length: 2"),
    "two different": (b"Content-Length: 2", b"Content-Length: 3"),
    "list": (b"Content-Length: 2, 2",),
    "plus": (b"Content-Length: +2",),
    "minus": (b"Content-Length: -2",),
    "hex": (b"Content-Length: 0x2",),
    "underscore in number": (b"Content-Length: 2_0",),
    "inner space": (b"Content-Length: 2 3",),
    "empty": (b"Content-Length:",),
    "2^64": (b"Content-Length: 18446744073709551616",),
    "16 digits": (b"Content-Length: 1000000000000000",),
    "other digits": ("Content-Length: ٢".encode(),),
    "CL.TE": (b"Content-Length: 2", b"Transfer-Encoding: chunked"),
    "TE.CL": (b"Transfer-Encoding: chunked", b"Content-Length: 2"),
    "CL 0 and TE": (b"Content-Length: 0", b"Transfer-Encoding: chunked"),
}

_CODINGS_400: Final = {
    "identity": b"identity",
    "chunked twice in a list": b"chunked, chunked",
    "chunked not last": b"chunked, gzip",
    "prefix": b"xchunked",
    "quoted": b'"chunked"',
    "parameter": b"chunked;q=1",
    "empty": b"",
    "vertical tab": b"\x0bchunked",
    "form feed": b"chunked\x0c",
    "NUL": b"chunked\x00",
    "0xa0": b"\xa0chunked",
    "0x85": b"chunked\x85",
}

_LINES_400: Final = {
    "HTTP/0.9": b"GET /",
    "lower-case protocol": b"GET / http/1.1",
    "two spaces before target": b"GET  / HTTP/1.1",
    "two spaces after target": b"GET /  HTTP/1.1",
    "trailing space": b"GET / HTTP/1.1 ",
    "leading space": b" GET / HTTP/1.1",
    "tab": b"GET\t/\tHTTP/1.1",
    "space in target": b"GET /a b HTTP/1.1",
    "CTL in target": b"GET /\x01 HTTP/1.1",
    "DEL in target": b"GET /\x7f HTTP/1.1",
    "high byte in target": b"GET /\xc3\xa9 HTTP/1.1",
    "NUL in target": b"GET /\x00 HTTP/1.1",
    "bare CR in line": b"GET /\rX HTTP/1.1",
    "fragment": b"GET /a#b HTTP/1.1",
    "backslash": b"GET /a\\b HTTP/1.1",
    "broken percent": b"GET /% HTTP/1.1",
    "half a percent": b"GET /%1 HTTP/1.1",
    "no percent digits": b"GET /%zz HTTP/1.1",
    "no slash": b"GET a HTTP/1.1",
    "at sign": b"GET @a/ HTTP/1.1",
    "authority-form": b"GET a:80 HTTP/1.1",
    "asterisk": b"GET * HTTP/1.1",
    "foreign scheme": b"GET ftp://a/ HTTP/1.1",
    "absolute with another host": b"GET http://b/ HTTP/1.1",
    "absolute with userinfo": b"GET http://u@a/ HTTP/1.1",
    "absolute without host": b"GET http:///x HTTP/1.1",
    "absolute with a fragment": b"GET http://a/x#y HTTP/1.1",
    "no method": b"/ HTTP/1.1",
    "bad method character": b"G(T / HTTP/1.1",
    "empty line": b"",
}

_LINES_OTHER: Final = (
    ("unknown method", b"FOO / HTTP/1.1", 501),
    ("lower-case method", b"get / HTTP/1.1", 501),
    ("SOURCE", b"SOURCE / HTTP/1.1", 501),
    ("RTSP method", b"DESCRIBE / HTTP/1.1", 501),
    ("CONNECT", b"CONNECT a:443 HTTP/1.1", 405),
    ("TRACE", b"TRACE / HTTP/1.1", 405),
    ("HTTP/0.9 on the line", b"GET / HTTP/0.9", 505),
    ("HTTP/1.2", b"GET / HTTP/1.2", 505),
    ("HTTP/1.10", b"GET / HTTP/1.10", 505),
    ("HTTP/2.0", b"GET / HTTP/2.0", 505),
    ("HTTP/2 preface", b"PRI * HTTP/2.0", 505),
    ("RTSP", b"GET / RTSP/1.0", 505),
    ("ICE", b"GET / ICE/1.0", 505),
    ("line too long", b"GET /" + b"a" * 9000 + b" HTTP/1.1", 414),
)

_HOSTS: Final = {
    "missing": b"",
    "empty": b"Host:\r\n",
    "twice": b"Host: a\r\nHost: b\r\n",
    "twice the same": b"Host: a\r\nHost: a\r\n",
    "a hundred times": b"Host: a\r\n" * 100,
    "list": b"Host: a, b\r\n",
    "userinfo": b"Host: u@a\r\n",
    "path": b"Host: a/b\r\n",
    "space": b"Host: a b\r\n",
    "question mark": b"Host: a?\r\n",
    "port too large": b"Host: a:65536\r\n",
    "port zero": b"Host: a:0\r\n",
    "port empty": b"Host: a:\r\n",
    "port no number": b"Host: a:b\r\n",
    "high bytes": b"Host: \xc3\xa9\r\n",
    "bad brackets": b"Host: [::1\r\n",
    "no IPv6": b"Host: [::::]\r\n",
    "IPv6 with zone": b"Host: [fe80::1%25eth0]\r\n",
    "only a dot": b"Host: .\r\n",
}

REFUSED: Final[tuple[tuple[str, bytes, int], ...]] = (
    *((f"field: {name}", head(line), 400) for name, line in _FIELD_SYNTAX.items()),
    ("field: leading space on the first", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    ("field: 101 lines", head(*[b"X: y"] * 100), 431),
    ("field: head of 40 KiB", head(*[b"X: " + b"y" * 4000] * 10), 431),
    ("field: one value of 64 KiB", head(b"X: " + b"y" * 65536), 431),
    *((f"length: {name}", head(*lines), 400) for name, lines in _LENGTHS.items()),
    *((f"coding: {name}", head(b"Transfer-Encoding: " + value), 400) for name, value in _CODINGS_400.items()),
    ("coding: two lines", head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), 400),
    ("coding: gzip, chunked", head(b"Transfer-Encoding: gzip, chunked"), 501),
    ("coding: empty element", head(b"Transfer-Encoding: , chunked"), 501),
    ("coding: in HTTP/1.0", head(b"Transfer-Encoding: chunked", first=b"POST / HTTP/1.0"), 400),
    *((f"line: {name}", head(first=line), 400) for name, line in _LINES_400.items()),
    *((f"line: {name}", head(first=line), status) for name, line, status in _LINES_OTHER),
    ("line: leading CRLF", b"\r\n" + OK, 400),
    ("line: leading LF", b"\n" + OK, 400),
    ("line: bare LF everywhere", b"GET / HTTP/1.1\nHost: a\n\n", 400),
    ("line: bare LF after the request line", b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    ("line: bare LF at the end", b"GET / HTTP/1.1\r\nHost: a\r\n\n", 400),
    ("line: TLS on a plain port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ("line: 9000 bytes that begin like no method", b"\x80" * 9000, 400),
    ("line: 9000 bytes without an end", b"a" * 9000, 414),
    *((f"host: {name}", b"GET / HTTP/1.1\r\n" + lines + b"\r\n", 400) for name, lines in _HOSTS.items()),
    ("host: missing in HTTP/1.0", b"GET / HTTP/1.0\r\n\r\n", 400),
    ("expect: unknown", head(b"Expect: 200-ok", b"Content-Length: 2"), 417),
    ("expect: obfuscated", head(b"Expect: y 100-continue", b"Content-Length: 2"), 417),
    ("expect: twice", head(b"Expect: 100-continue", b"Expect: 100-continue", b"Content-Length: 2"), 417),
    ("upgrade: with a counted body", head(b"Connection: upgrade", b"Upgrade: x", b"Content-Length: 40"), 400),
    ("upgrade: with a chunked body", head(b"Connection: upgrade", b"Upgrade: x", b"Transfer-Encoding: chunked"), 400),
)

_CHUNKS: Final = {
    "size with 0x": b"0x1\r\na\r\n0\r\n\r\n",
    "size with plus": b"+1\r\na\r\n0\r\n\r\n",
    "size with minus": b"-1\r\na\r\n0\r\n\r\n",
    "size with underscore": b"1_0\r\na\r\n0\r\n\r\n",
    "space after size": b"1 \r\na\r\n0\r\n\r\n",
    "space before size": b" 1\r\na\r\n0\r\n\r\n",
    "empty size": b"\r\na\r\n0\r\n\r\n",
    "size of 17 digits": b"11111111111111111\r\na\r\n0\r\n\r\n",
    "no hex": b"g\r\na\r\n0\r\n\r\n",
    "more data than size": b"1\r\nab\r\n0\r\n\r\n",
    "no CRLF behind data": b"1\r\na0\r\n\r\n",
    "bare LF behind size": b"1\na\r\n0\r\n\r\n",
    "bare LF behind data": b"1\r\na\n0\r\n\r\n",
    "bare CR behind size": b"1\ra\r\n0\r\n\r\n",
    "bare LF in extension": b"1;x\na\r\n0\r\n\r\n",
    "bare CR in extension": b"1;x\ry\r\na\r\n0\r\n\r\n",
    "open quote in extension": b'1;x="y\r\na\r\n0\r\n\r\n',
    "space in trailer name": b"0\r\nX Y: z\r\n\r\n",
    "bare LF in trailers": b"0\r\nX: y\n\r\n",
    "content-length as trailer": b"0\r\nContent-Length: 5\r\n\r\n",
    "extension of 20 KiB": b"1;" + b"x" * 20_000 + b"\r\na\r\n0\r\n\r\n",
    "trailers of 20 KiB": b"0\r\n" + b"X: yyyyyyyyyyyy\r\n" * 1250 + b"\r\n",
}

ABORTED: Final[tuple[tuple[str, bytes], ...]] = tuple((name, chunked(body)) for name, body in _CHUNKS.items())

ACCEPTED: Final[tuple[tuple[str, bytes, tuple[tuple[bytes, bytes], ...]], ...]] = (
    ("two requests", OK + OK, ((b"/ok", b""), (b"/ok", b""))),
    ("body and a request", head(b"Content-Length: 2") + b"hi" + OK, ((b"/", b"hi"), (b"/ok", b""))),
    ("body that looks like a request", head(b"Content-Length: %d" % len(OK)) + OK, ((b"/", OK),)),
    (
        "GET with a body",
        head(b"Content-Length: 2", first=b"GET / HTTP/1.1") + b"hi" + OK,
        ((b"/", b"hi"), (b"/ok", b"")),
    ),
    ("leading zeros in a length", head(b"Content-Length: 002") + b"hi" + OK, ((b"/", b"hi"), (b"/ok", b""))),
    ("chunks", chunked(b"2\r\nhi\r\n0\r\n\r\n") + OK, ((b"/", b"hi"), (b"/ok", b""))),
    ("coding in capitals", head(b"Transfer-Encoding: CHUNKED") + b"0\r\n\r\n" + OK, ((b"/", b""), (b"/ok", b""))),
    ("leading zeros in a size", chunked(b"0000002\r\nhi\r\n000\r\n\r\n") + OK, ((b"/", b"hi"), (b"/ok", b""))),
    ("chunk extension", chunked(b'2;a=b;c="d"\r\nhi\r\n0;e\r\n\r\n') + OK, ((b"/", b"hi"), (b"/ok", b""))),
    ("trailers", chunked(b"0\r\nHost: evil\r\nX-Admin: 1\r\n\r\n") + OK, ((b"/", b""), (b"/ok", b""))),
    (
        "chunk full of CRLF",
        chunked(b"8\r\n" + b"\r\n" * 4 + b"\r\n0\r\n\r\n") + OK,
        ((b"/", b"\r\n" * 4), (b"/ok", b"")),
    ),
    (
        "chunk that looks like an end",
        chunked(b"5\r\n0\r\n\r\n\r\n0\r\n\r\n") + OK,
        ((b"/", b"0\r\n\r\n"), (b"/ok", b"")),
    ),
    ("absolute-form", b"GET http://A:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n" + OK, ((b"/x?y", b""), (b"/ok", b""))),
    ("absolute-form without path", b"GET HTTP://a?q HTTP/1.1\r\nHost: a\r\n\r\n", ((b"/?q", b""),)),
    ("OPTIONS *", head(first=b"OPTIONS * HTTP/1.1") + OK, ((b"*", b""), (b"/ok", b""))),
    ("OPTIONS in absolute-form", head(first=b"OPTIONS http://a HTTP/1.1"), ((b"*", b""),)),
    ("100 fields", head(*[b"X: y"] * 99) + OK, ((b"/", b""), (b"/ok", b""))),
    ("upgrade without a body is not followed", head(b"Connection: upgrade", b"Upgrade: h2c") + OK, ((b"/", b""),)),
    ("nothing behind close", head(b"Connection: close") + OK, ((b"/", b""),)),
    ("nothing behind HTTP/1.0", head(first=b"GET / HTTP/1.0") + OK, ((b"/", b""),)),
    (
        "underscores vanish",
        head(b"Transfer_Encoding: chunked", b"Content_Length: 9") + OK,
        ((b"/", b""), (b"/ok", b"")),
    ),
)
