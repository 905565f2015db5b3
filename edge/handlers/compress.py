"""Compressing what the application sends, on its way to the visitor.

Only where it helps and harms nobody. A response passes as it is when it is already encoded, partial or offers ranges, is no text,
is small, is an event stream, or says no-transform (RFC 9111 §5.2.2.6). And when its length could tell a secret (BREACH): always
if it sets a cookie; in the careful mode also if the request carried a cookie or credentials and the response is not marked
public, because such a page may hold a token beside words that an attacker chose.

A response of unknown length may be a stream: what the application has written leaves at once, at the price of some ratio.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Protocol

import brotli  # type: ignore[import-untyped]  # it ships no types
import zstandard

from edge.handlers.wrapped_exchange import WrappedExchange
from edge.http.exchange import Buffer, Exchange, Handler
from edge.http.message import Fields, Request, ResponseHead, is_bodiless
from edge.http.negotiation import parse_accept_encoding

MIN_LENGTH: Final = 1024
"""Bytes below which nothing is gained: the head and a packet cost as much. nginx 20, which its users raise."""

MEMO_VALUES: Final = 256
"""Accept-Encoding values whose choice is remembered."""

_TEXT: Final = frozenset({
    b"application/json", b"application/ld+json", b"application/javascript", b"application/xml", b"application/xhtml+xml",
    b"application/manifest+json", b"application/rss+xml", b"application/atom+xml", b"application/geo+json",
    b"application/problem+json", b"application/wasm", b"image/svg+xml",
})  # fmt: skip
"""Types that shrink, besides text."""

_STREAM: Final = b"text/event-stream"


class Compressor(Protocol):
    """Turns a body into coded bytes, piece by piece."""

    def compress(self, data: Buffer) -> bytes:
        """What is ready after more input."""

    def flush(self) -> bytes:
        """Everything that has been put in, so that the visitor can decode it now."""

    def finish(self) -> bytes:
        """The end."""


class Gzip:
    """RFC 1952, level 5: nine tenths of what 9 gains in a third of its time."""

    def __init__(self) -> None:
        self._object = zlib.compressobj(5, wbits=31)
        self.compress = self._object.compress

    def flush(self) -> bytes:
        """See `Compressor`."""
        return self._object.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        """See `Compressor`."""
        return self._object.flush(zlib.Z_FINISH)


class Brotli:
    """RFC 7932, quality 4 and a window of 256 KiB: as quick as gzip, and smaller."""

    def __init__(self) -> None:
        self._object = brotli.Compressor(quality=4, lgwin=18)

    def compress(self, data: Buffer) -> bytes:
        """See `Compressor`."""
        return bytes(self._object.process(bytes(data)))

    def flush(self) -> bytes:
        """See `Compressor`."""
        return bytes(self._object.flush())

    def finish(self) -> bytes:
        """See `Compressor`."""
        return bytes(self._object.finish())


_ZSTANDARD: Final = zstandard.ZstdCompressionParameters.from_level(3, window_log=18)


class Zstandard:
    """RFC 8878, level 3 with a window of 256 KiB (RFC 9659 allows 8 MiB, which would be memory of ours for each response)."""

    def __init__(self) -> None:
        self._object = zstandard.ZstdCompressor(compression_params=_ZSTANDARD).compressobj()
        self.compress = self._object.compress

    def flush(self) -> bytes:
        """See `Compressor`."""
        return self._object.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def finish(self) -> bytes:
        """See `Compressor`."""
        return self._object.flush(zstandard.COMPRESSOBJ_FLUSH_FINISH)


CODINGS: Final[dict[str, Callable[[], Compressor]]] = {"zstd": Zstandard, "br": Brotli, "gzip": Gzip}
"""In the order of preference among those that a visitor wants equally."""


@lru_cache(MEMO_VALUES)
def choose(accept_encoding: bytes) -> str:
    """The coding for a visitor, or "": the one of highest weight; the identity only if it is wanted more (RFC 9110 §12.5.3)."""
    weights = parse_accept_encoding(accept_encoding)
    others = weights.get("*", 0.0)
    best = max(CODINGS, key=lambda coding: weights.get(coding, others))
    weight = weights.get(best, others)
    return best if weight > 0 and weight >= weights.get("identity", 0.0) else ""


def is_compressible(head: ResponseHead) -> bool:
    """Whether a response of this kind gains by it, whoever asks for it."""
    fields = dict(head.fields)
    media_type = fields.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if (
        head.status < 200
        or head.status in (204, 206, 304)
        or not (media_type.startswith(b"text/") or media_type in _TEXT)
    ):
        return False
    if media_type == _STREAM or (head.content_length is not None and head.content_length < MIN_LENGTH):
        return False
    if fields.keys() & {b"content-encoding", b"content-range", b"accept-ranges", b"set-cookie"}:
        return False
    return b"no-transform" not in fields.get(b"cache-control", b"").lower()


def says_who(request: Request) -> bool:
    """Whether the request tells whose it is, so that the response could be one user's own."""
    return any(name in (b"cookie", b"authorization") for name, _ in request.fields)


def is_public(head: ResponseHead) -> bool:
    """Whether the application says that everybody gets the same (RFC 9111 §5.2.2.9)."""
    return b"public" in (head.field(b"cache-control") or b"").lower()


def coded_fields(fields: Fields, coding: str) -> Fields:
    """The fields of a response as sent in `coding` ("" for as it is): Vary in any case, no strong entity tag for other bytes."""
    kept = [line for line in fields if line[0] != b"vary"]
    names = b", ".join(value for name, value in fields if name == b"vary")
    if b"accept-encoding" not in names.lower() and names.strip() != b"*":
        names = names + b", accept-encoding" if names else b"accept-encoding"
    if coding:
        kept = [(name, _weak(value) if name == b"etag" else value) for name, value in kept]
        kept.append((b"content-encoding", coding.encode()))
    return (*kept, (b"vary", names))


def _weak(etag: bytes) -> bytes:
    return etag if etag.startswith(b"W/") else b"W/" + etag


class Compress:
    """A handler in front of a proxy. `careful`: leave out what could tell a secret. `is_guarded`: every request had a password,
    which has been taken off on the way here."""

    def __init__(self, handler: Handler, *, careful: bool, is_guarded: bool = False) -> None:
        self._handler = handler
        self._careful = careful
        self._is_guarded = is_guarded

    def __call__(self, exchange: Exchange) -> None:
        """Hand on, and look at the response."""
        self._handler(_CompressedExchange(exchange, self))

    def coding_for(self, request: Request, head: ResponseHead) -> str | None:
        """The coding to send in; "" for the identity because this visitor wants it; None where coding is no question."""
        if not is_compressible(head):
            return None
        is_personal = self._is_guarded or says_who(request)
        if self._careful and is_personal and not is_public(head):
            return None
        return choose(request.combined(b"accept-encoding") or b"")


class _CompressedExchange(WrappedExchange):
    __slots__ = ("_compressor", "_rules", "_streams")

    def __init__(self, inner: Exchange, rules: Compress) -> None:
        super().__init__(inner)
        self._rules = rules
        self._compressor: Compressor | None = None
        self._streams = False

    def send_head(self, head: ResponseHead) -> None:
        coding = self._rules.coding_for(self.inner.request, head)
        if coding is None:
            self.inner.send_head(head)
            return
        self._streams = head.content_length is None
        length = None if coding else head.content_length
        self.inner.send_head(ResponseHead(head.status, coded_fields(head.fields, coding), length))
        if coding and not is_bodiless(self.inner.request.method, head.status):
            self._compressor = CODINGS[coding]()

    def send_body(self, data: Buffer) -> None:
        compressor = self._compressor
        if compressor is None:
            self.inner.send_body(data)
            return
        coded = compressor.compress(data)
        if self._streams:
            coded += compressor.flush()
        if coded:
            self.inner.send_body(coded)

    def end(self, trailers: Fields = ()) -> None:
        if self._compressor is not None:
            self.inner.send_body(self._compressor.finish())
        self.inner.end(trailers)

    def respond(self, head: ResponseHead, body: Buffer = b"") -> None:
        coding = self._rules.coding_for(self.inner.request, head)
        if coding is None:
            self.inner.respond(head, body)
            return
        length = head.content_length
        if coding and is_bodiless(self.inner.request.method, head.status):
            length = None
        elif coding:
            compressor = CODINGS[coding]()
            body = compressor.compress(body) + compressor.finish()
            length = len(body)
        self.inner.respond(ResponseHead(head.status, coded_fields(head.fields, coding), length), body)
