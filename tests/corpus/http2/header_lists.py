"""Header lists and what must become of them: the shapes that get through HTTP/2 libraries and hurt behind them.

A row is (what it is, header list, END_STREAM, answer). The answer is "ok" or the status of the refusal; an engine may also
reset the stream instead of answering. In every case the connection lives and nothing else reaches a handler.
"""

from __future__ import annotations

from typing import Final, NamedTuple

Headers = tuple[tuple[bytes, bytes], ...]


class Shape(NamedTuple):
    name: str
    headers: Headers
    ended: bool
    answer: int | str


def _pseudo(
    method: bytes = b"GET", scheme: bytes = b"https", authority: bytes = b"a.test", path: bytes = b"/"
) -> Headers:
    return ((b":method", method), (b":scheme", scheme), (b":authority", authority), (b":path", path))


def _with(*fields: tuple[bytes, bytes]) -> Headers:
    return (*_pseudo(), *fields)


def _field(value: bytes) -> Headers:
    return _with((b"x-test", value))


GET: Final = _pseudo()
NO_AUTHORITY: Final = (GET[0], GET[1], GET[3])

LEGITIMATE: Final = [
    Shape("plain", GET, True, "ok"),
    Shape("query", _pseudo(path=b"/a/b?c=d&e=%20"), True, "ok"),
    Shape("options *", _pseudo(b"OPTIONS", path=b"*"), True, "ok"),
    Shape("head", _pseudo(b"HEAD"), True, "ok"),
    Shape("authority case", _pseudo(authority=b"A.Test"), True, "ok"),
    Shape("authority port", _pseudo(authority=b"a.test:8443"), True, "ok"),
    Shape("ipv6", _pseudo(authority=b"[::1]:8443"), True, "ok"),
    Shape("host alone", (*NO_AUTHORITY, (b"host", b"a.test")), True, "ok"),
    Shape("host equal", _with((b"host", b"a.test")), True, "ok"),
    Shape("host equal but for case", _with((b"host", b"A.TEST")), True, "ok"),
    Shape("host equal with default port", _with((b"host", b"a.test:443")), True, "ok"),
    Shape("te trailers", _with((b"te", b"trailers")), True, "ok"),
    Shape("crumbs", _with((b"cookie", b"a=1"), (b"cookie", b"b=2")), True, "ok"),
    Shape("empty crumbs", _with((b"cookie", b""), (b"cookie", b"")), True, "ok"),
    Shape("obs-text", _field(b"caf\xe9"), True, "ok"),
    Shape("tab inside", _field(b"a\tb"), True, "ok"),
    Shape("empty value", _field(b""), True, "ok"),
    Shape("length zero", _with((b"content-length", b"0")), True, "ok"),
    Shape("body without length", _pseudo(b"POST"), False, "ok"),
    Shape("body with length", (*_pseudo(b"POST"), (b"content-length", b"5")), False, "ok"),
    Shape("100-continue", (*_pseudo(b"POST"), (b"expect", b"100-Continue")), False, "ok"),
    Shape("99 fields", _with(*((b"x-%d" % number, b"y") for number in range(99))), True, "ok"),
]

LENGTHS: Final = [
    Shape("length without body", _with((b"content-length", b"10")), True, 400),
    Shape("length twice, equal", _with((b"content-length", b"5"), (b"content-length", b"5")), False, 400),
    Shape("length twice, different", _with((b"content-length", b"5"), (b"content-length", b"6")), False, 400),
    Shape("length signed", _with((b"content-length", b"+5")), False, 400),
    Shape("length list", _with((b"content-length", b"5, 5")), False, 400),
    Shape("length hexadecimal", _with((b"content-length", b"0x5")), False, 400),
    Shape("length underscored", _with((b"content-length", b"1_0")), False, 400),
    Shape("length empty", _with((b"content-length", b"")), False, 400),
    Shape("length of 16 digits", _with((b"content-length", b"1" * 16)), False, 400),
    Shape("length of 5000 digits", _with((b"content-length", b"1" * 5000)), False, 400),
]

BYTES: Final = [
    *(Shape(f"value with {byte:#04x}", _field(b"a%cb" % byte), True, 400) for byte in (*range(9), *range(10, 32), 127)),
    Shape("value with leading space", _field(b" a"), True, 400),
    Shape("value with trailing tab", _field(b"a\t"), True, 400),
    *(Shape(f"name with {sign!r}", _with((b"x" + sign.encode() + b"y", b"1")), True, 400) for sign in '()/,";=@[]{}: \t\r\n\0'),
    Shape("name in upper case", _with((b"X-Test", b"1")), True, 400),
    Shape("name empty", _with((b"", b"1")), True, 400),
    Shape("name beyond ASCII", _with((b"x\xff", b"1")), True, 400),
]  # fmt: skip

PSEUDO: Final = [
    Shape("method empty", _pseudo(b""), True, 400),
    Shape("method with tab", _pseudo(b"GE\tT"), True, 400),
    Shape("method with request line", _pseudo(b"GET /admin HTTP/1.1"), True, 400),
    Shape("method in lower case", _pseudo(b"get"), True, 501),
    Shape("method unknown", _pseudo(b"BREW"), True, 501),
    Shape("trace", _pseudo(b"TRACE"), True, 405),
    Shape("path without slash", _pseudo(path=b"x"), True, 400),
    Shape("path empty", _pseudo(path=b""), True, 400),
    Shape("path with userinfo", _pseudo(path=b"@evil/"), True, 400),
    Shape("path absolute", _pseudo(path=b"http://evil/"), True, 400),
    Shape("path with space", _pseudo(path=b"/a b"), True, 400),
    Shape("path with control", _pseudo(path=b"/\x01"), True, 400),
    Shape("path with CRLF", _pseudo(path=b"/ HTTP/1.1\r\nx: y"), True, 400),
    Shape("path with #", _pseudo(path=b"/a#b"), True, 400),
    Shape("path with backslash", _pseudo(path=b"/\\evil"), True, 400),
    Shape("path beyond ASCII", _pseudo(path=b"/\xff"), True, 400),
    Shape("path * for GET", _pseudo(path=b"*"), True, 400),
    Shape("path too long", _pseudo(path=b"/" + b"a" * 8192), True, 414),
    Shape("scheme injected", _pseudo(scheme=b"http://evil/?"), True, 400),
    Shape("scheme ftp", _pseudo(scheme=b"ftp"), True, 400),
    Shape("scheme http over TLS", _pseudo(scheme=b"http"), True, 400),
    Shape("authority empty", _pseudo(authority=b""), True, 400),
    Shape("authority with userinfo", _pseudo(authority=b"user@a.test"), True, 400),
    Shape("authority with path", _pseudo(authority=b"a/b"), True, 400),
    Shape("authority with space", _pseudo(authority=b"a b"), True, 400),
    Shape("authority list", _pseudo(authority=b"a.test, b.test"), True, 400),
    Shape("authority port too large", _pseudo(authority=b"a.test:65536"), True, 400),
    Shape("authority missing, no host", NO_AUTHORITY, True, 400),
    Shape("host differs", _with((b"host", b"b.test")), True, 400),
    Shape("host twice", _with((b"host", b"a.test"), (b"host", b"a.test")), True, 400),
    Shape("a hundred hosts", _with(*((b"host", b"a.test") for _ in range(96))), True, 400),
    Shape("method missing", GET[1:], True, 400),
    Shape("scheme missing", (GET[0], *GET[2:]), True, 400),
    Shape("path missing", GET[:3], True, 400),
    Shape("path twice", (*GET, (b":path", b"/")), True, 400),
    Shape("unknown pseudo-field", (*GET, (b":proto", b"x")), True, 400),
    Shape("status", (*GET, (b":status", b"200")), True, 400),
    Shape("late pseudo-field", (*GET[:3], (b"x", b"y"), GET[3]), True, 400),
    Shape("connect", ((b":method", b"CONNECT"), (b":authority", b"a.test:443")), False, 405),
    Shape("extended connect", (*_pseudo(b"CONNECT"), (b":protocol", b"websocket")), False, 400),
]

CONNECTION: Final = [
    *(
        Shape(name.decode(), _with((name, value)), True, 400)
        for name, value in (
            (b"connection", b"close"),
            (b"keep-alive", b"timeout=5"),
            (b"proxy-connection", b"close"),
            (b"transfer-encoding", b"chunked"),
            (b"upgrade", b"h2c"),
            (b"http2-settings", b"AAMAAABkAAQAAP__"),
            (b"te", b"gzip"),
            (b"te", b"trailers, gzip"),
        )
    ),
    Shape("expectation unknown", (*_pseudo(b"POST"), (b"expect", b"y 100-continue")), False, 417),
    Shape("101 fields", _with(*((b"x-%d" % number, b"y") for number in range(101))), True, 431),
    Shape("101 crumbs", _with(*((b"cookie", b"") for _ in range(101))), True, 431),
    Shape("33 KiB", _with(*((b"x-%d" % number, b"y" * 3000) for number in range(12))), True, 431),
]

SHAPES: Final = [*LEGITIMATE, *LENGTHS, *BYTES, *PSEUDO, *CONNECTION]
