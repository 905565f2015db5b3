"""What an origin was sent, read as strictly as HTTP allows: whatever cannot be read here must never have been forwarded."""

from __future__ import annotations

import re
from typing import NamedTuple

_LINE = re.compile(rb"([A-Z]+) (/[!-~]*|\*) HTTP/1\.1").fullmatch
_NAME = re.compile(rb"[!#$%&'*+\-.^`|~0-9a-z]+").fullmatch
_VALUE = re.compile(rb"(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?").fullmatch

SET_BY_EDGE = frozenset({
    b"host", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-for", b"x-real-ip",
    b"x-request-id", b"x-request-start",
})  # fmt: skip
"""Exactly once each, in every request."""

NEVER = re.compile(
    rb"transfer-encoding|connection|keep-alive|proxy(-connection|-authenticate|-authorization)?|te|trailer|upgrade|http2-settings|expect|forwarded|.*_.*"
    rb"|x-url-scheme|x-scheme|front-end-https|x-original-url|x-rewrite-url|x-sendfile-type|x-accel-.*"
    rb"|cf-connecting-ip|true-client-ip"
).fullmatch
"""In no request."""


class Recorded(NamedTuple):
    """One request as an origin saw it."""

    method: bytes
    target: bytes
    fields: dict[bytes, bytes]
    body: bytes


def read_request(data: bytes) -> Recorded:
    """The one request that `data` is. Fails when it is anything else."""
    head, end, body = data.partition(b"\r\n\r\n")
    assert end, data[:300]
    first, *lines = head.split(b"\r\n")
    matched = _LINE(first)
    assert matched, first
    fields: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b": ")
        assert colon, line
        assert _NAME(name), line
        assert _VALUE(value), line
        assert not NEVER(name), line
        assert name not in fields or name not in (*SET_BY_EDGE, b"content-length"), line
        fields[name] = fields.get(name, b"") + value
    assert fields.keys() >= SET_BY_EDGE, fields
    _check_forwarded(fields)
    assert len(body) == int(fields.get(b"content-length", b"0")), data[:300]
    return Recorded(matched[1], matched[2], fields, body)


def _check_forwarded(fields: dict[bytes, bytes]) -> None:
    assert fields[b"x-forwarded-proto"] == b"https"
    assert fields[b"x-forwarded-for"] == fields[b"x-real-ip"] == b"127.0.0.1"
    assert fields[b"x-forwarded-host"] == fields[b"host"]
    assert re.fullmatch(rb"[0-9a-f]{32}", fields[b"x-request-id"])
    assert re.fullmatch(rb"t=\d{13}", fields[b"x-request-start"])
    family = {name for name in fields if name.startswith(b"x-forwarded")}
    assert family <= SET_BY_EDGE, family
    length = fields.get(b"content-length", b"0")
    assert re.fullmatch(rb"0|[1-9]\d{0,14}", length), length
