"""One finished exchange as one line, in JSON or text. Hot path: everything is bytes, one `%` per line.

What comes from the client is written so that nobody can forge a line or feed a terminal: outside printable ASCII, quotes and
backslashes every byte becomes an escape. Query values that are secrets by name are not written.
"""

from __future__ import annotations

import re
from typing import Final

MAX_TARGET: Final = 2048
"""Bytes of a target in a line. Longer ones are cut: a line must fit into one atomic write to a pipe (PIPE_BUF, 4096)."""

SECRET_QUERY_WORDS: Final = (b"token", b"password", b"passwd", b"signature", b"secret", b"apikey", b"api_key")
"""A query key that ends with one of these (`access_token`, `X-Amz-Signature`) keeps its value out of the log."""

_UNSAFE = re.compile(rb"[^ !#-\[\]-~]")
find_unsafe = _UNSAFE.search
"""Finds a byte that must not be written as it is."""
_redact = re.compile(rb"([?&][^=&]*(?:" + b"|".join(SECRET_QUERY_WORDS) + rb")=)[^&]+", re.IGNORECASE).sub

_JSON: Final = (
    b'{"time":"%b","client":"%b","method":"%b","host":"%b","target":"%b","protocol":"HTTP/%b",'
    b'"status":%d,"bytes":%d,"seconds":%.6f%b,"request_id":"%b"}\n'
)
_UPSTREAM: Final = b',"upstream_seconds":%.6f'
_HELD: Final = b',"held_seconds":%.3f'
_CACHE: Final = b',"cache":"%b"'
_TEXT: Final = b"%b  %d  %-4b %b%b  %b  %d B  %b  HTTP/%b\n"


def json_line(  # positional, because keywords cost time here
    moment: bytes,
    client: str,
    method: bytes,
    authority: bytes,
    target: bytes,
    protocol: bytes,
    status: int,
    sent: int,
    seconds: float,
    upstream_seconds: float,
    request_id: str,
    held_seconds: float = 0.0,
    cache_verdict: str = "",
) -> bytes:
    """A JSON object; `upstream_seconds` is left out when negative, `held_seconds` when 0, `cache` without a verdict. The values
    have been made safe."""
    upstream = _UPSTREAM % upstream_seconds if upstream_seconds >= 0 else b""
    if held_seconds:
        upstream += _HELD % held_seconds
    if cache_verdict:
        upstream += _CACHE % cache_verdict.encode()
    return _JSON % (
        moment, client.encode(), method, authority, target, protocol, status, sent, seconds, upstream, request_id.encode(),
    )  # fmt: skip


def text_line(
    moment: bytes,
    client: str,
    method: bytes,
    authority: bytes,
    target: bytes,
    protocol: bytes,
    status: int,
    sent: int,
    seconds: float,
    upstream_seconds: float,  # noqa: ARG001  # one signature for both formats
    request_id: str,  # noqa: ARG001
    held_seconds: float = 0.0,
    cache_verdict: str = "",
) -> bytes:
    """`12:04:31  200  GET  example.com/path  8 ms  1234 B  203.0.113.77  HTTP/2`."""
    took = format_duration(seconds)
    if held_seconds:
        took += b" (held %b)" % format_duration(held_seconds)
    if cache_verdict:
        took += b" (cache %b)" % cache_verdict.encode()
    return _TEXT % (moment, status, method, authority, target, took, sent, client.encode(), protocol)


def redact_query(target: bytes) -> bytes:
    """The target without the values of query keys that name secrets."""
    lower = target.lower()
    for word in SECRET_QUERY_WORDS:  # the regular expression costs ten times as much
        if word in lower:
            return _redact(rb"\1[redacted]", target)
    return target


def cut(text: bytes) -> bytes:
    """Printable ASCII of at most `MAX_TARGET` bytes and three dots; an escape makes six bytes of one."""
    limit = MAX_TARGET // 6 if find_unsafe(text) else MAX_TARGET
    return escape(text[:limit]) + (b"..." if len(text) > limit else b"")


def escape(text: bytes) -> bytes:
    """Printable ASCII that is also the inside of a JSON string: other bytes as `\\u00XX`, quote and backslash escaped."""
    return _UNSAFE.sub(_escape_byte, text)


def _escape_byte(match: re.Match[bytes]) -> bytes:
    byte = match.group()
    return b"\\" + byte if byte in b'"\\' else b"\\u%04x" % byte[0]


def format_duration(seconds: float) -> bytes:
    """`8 ms`, `0.4 ms`, `12.3 s`."""
    if seconds >= 1:
        return b"%.1f s" % seconds
    return b"%.0f ms" % (seconds * 1000) if seconds >= 0.001 else b"%.1f ms" % (seconds * 1000)
