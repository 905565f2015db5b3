"""Compressing what the application sends."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]  # it ships no types
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from edge.handlers.compress import CODINGS, Compress, choose
from edge.http.exchange import Exchange
from edge.http.message import Field, Fields, ResponseHead
from tests.fakes import FakeExchange, make_request

BODY = json.dumps([{"number": number, "text": "the same words again"} for number in range(200)]).encode()
JSON: Fields = ((b"content-type", b"application/json"),)
COOKIE = (b"cookie", b"sessionid=1")

DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


def ask(
    *more: Field,
    fields: Fields = JSON,
    accept: bytes = b"gzip, br, zstd",
    body: bytes = BODY,
    method: bytes = b"GET",
    status: int = 200,
    careful: bool = True,
    is_guarded: bool = False,
    pieces: int = 0,
    known: bool = True,
) -> FakeExchange:
    """One response, in one call or in so many pieces, of known length or not."""

    def application(exchange: Exchange) -> None:
        head = ResponseHead(status, fields, len(body) if known else None)
        if not pieces:
            exchange.respond(head, body)
            return
        exchange.send_head(head)
        for index in range(pieces):
            exchange.send_body(body[len(body) * index // pieces : len(body) * (index + 1) // pieces])
        exchange.end()

    exchange = FakeExchange(make_request("/", method, [(b"accept-encoding", accept), *more]))
    Compress(application, careful=careful, is_guarded=is_guarded)(exchange)
    assert exchange.is_ended
    return exchange


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("pieces", [0, 1, 7])
@pytest.mark.parametrize("known", [True, False])
def test_what_comes_out_decodes_to_what_went_in(coding: str, pieces: int, known: bool) -> None:
    """In one call or in pieces, and it is smaller."""
    exchange = ask(accept=coding.encode(), pieces=pieces, known=known)
    assert exchange.field("content-encoding") == coding
    assert DECODERS[coding](exchange.body) == BODY
    assert len(exchange.body) < len(BODY) / 3
    assert exchange.field("vary") == "accept-encoding"


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (b"gzip, deflate, br, zstd", "zstd"),
        (b"gzip, deflate, br", "br"),
        (b"gzip", "gzip"),
        (b"gzip;q=1, br;q=0.5", "gzip"),
        (b"*", "zstd"),
        (b"*;q=0.5, gzip", "gzip"),
        (b"zstd;q=0, br;q=0, *", "gzip"),
        (b"gzip;q=0.5, identity", ""),
        (b"deflate", ""),
        (b"", ""),
        (b"gzip;q=0", ""),
    ],
)
def test_the_visitor_chooses_by_weight(accept: bytes, coding: str) -> None:
    """Among equals the best one is taken."""
    assert choose(accept) == coding
    exchange = ask(accept=accept)
    assert exchange.field("content-encoding") == (coding or None)
    assert exchange.field("vary") == "accept-encoding", "a cache must know, whatever was chosen"


@pytest.mark.parametrize(
    "fields",
    [
        (),
        ((b"content-type", b"image/png"),),
        ((b"content-type", b"text/event-stream"),),
        (*JSON, (b"content-encoding", b"br")),
        (*JSON, (b"content-range", b"bytes 0-1/2")),
        (*JSON, (b"accept-ranges", b"bytes")),
        (*JSON, (b"cache-control", b"no-transform")),
        (*JSON, (b"set-cookie", b"a=1")),
    ],
)
def test_some_responses_pass_as_they_are(fields: Fields) -> None:
    """No text, a stream of events, coded or partial already, told not to, or setting a cookie; even with "always"."""
    exchange = ask(fields=fields, careful=False)
    assert (exchange.body, exchange.head and exchange.head.fields) == (BODY, fields)


def test_small_and_bodiless_responses_pass() -> None:
    """And a HEAD says what a GET would, but for the length."""
    assert ask(body=b"x" * 1023).field("content-encoding") is None
    assert ask(status=304, body=b"", known=False).field("content-encoding") is None
    for pieces in (0, 1):
        head = ask(method=b"HEAD", pieces=pieces)
        assert (head.field("content-encoding"), head.body) == ("zstd", b"")
        assert head.head is not None
        assert head.head.content_length is None


@pytest.mark.parametrize(
    ("careful", "more", "fields", "is_guarded", "is_coded"),
    [
        (True, (), JSON, False, True),
        (True, (COOKIE,), JSON, False, False),
        (True, ((b"authorization", b"Bearer x"),), JSON, False, False),
        (True, (), JSON, True, False),
        (True, (COOKIE,), (*JSON, (b"cache-control", b"public, max-age=5")), False, True),
        (False, (COOKIE,), JSON, True, True),
    ],
)
def test_what_could_tell_a_secret_is_left_alone(
    careful: bool, more: Fields, fields: Fields, is_guarded: bool, is_coded: bool
) -> None:
    """BREACH: an answer to somebody who is known, unless everybody gets the same."""
    exchange = ask(*more, fields=fields, careful=careful, is_guarded=is_guarded)
    assert (exchange.field("content-encoding") is not None) is is_coded


def test_a_stream_arrives_as_it_is_written() -> None:
    """What came in can be decoded at once, before the next piece."""
    seen: list[bytes] = []

    def application(exchange: Exchange) -> None:
        exchange.send_head(ResponseHead(200, ((b"content-type", b"text/plain"),), None))
        for word in (b"one ", b"two ", b"three"):
            exchange.send_body(word)
            seen.append(decoder.decompress(b"".join(fake.slices[len(seen) :])))
        exchange.end()

    decoder = zlib.decompressobj(31)
    fake = FakeExchange(make_request("/", fields=[(b"accept-encoding", b"gzip")]))
    Compress(application, careful=True)(fake)
    assert seen == [b"one ", b"two ", b"three"]


def test_other_bytes_have_another_entity_tag() -> None:
    """A strong one becomes weak; Vary is completed, not doubled."""
    exchange = ask(fields=(*JSON, (b"etag", b'"a"'), (b"vary", b"Cookie"), (b"vary", b"Accept")))
    assert (exchange.field("etag"), exchange.field("vary")) == ('W/"a"', "Cookie, Accept, accept-encoding")
    assert ask(fields=(*JSON, (b"etag", b'W/"a"'), (b"vary", b"Accept-Encoding"))).field("vary") == "Accept-Encoding"


@given(st.binary(min_size=1024, max_size=4096), st.sampled_from(sorted(CODINGS)), st.integers(0, 4), st.booleans())
def test_any_body_survives(body: bytes, coding: str, pieces: int, known: bool) -> None:
    """Whatever it holds and however it comes."""
    exchange = ask(body=body, accept=coding.encode(), pieces=pieces, known=known)
    assert DECODERS[coding](exchange.body) == body
