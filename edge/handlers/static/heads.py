"""Response heads for one variant of a file. Pure: what is known about the file goes in, fields come out.

| status | validators, caching, Vary | type, coding, Last-Modified, nosniff | ranges |
|---|---|---|---|
| 200 | yes | yes | Accept-Ranges |
| 206 | yes | yes (several parts: the multipart type) | Accept-Ranges, Content-Range |
| 304 | yes (RFC 9110 §15.4.5) | | |
| 412, 416 | Vary; `no-store`, lest a cache keep the refusal | | Accept-Ranges; 416 Content-Range |
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from edge.http.conditional import Validators
from edge.http.dates import format_http_date
from edge.http.media_types import HTML, is_active, is_font
from edge.http.message import SERVER_FIELD, Field, Fields, ResponseHead
from edge.http.ranges import unsatisfied_range

_IMMUTABLE: Final[Field] = (b"cache-control", b"public, max-age=31536000, immutable")
"""A year is what RFC 9111's predecessors called for ever; RFC 8246 spares even the reload."""

_SHORT: Final[Field] = (b"cache-control", b"public, max-age=60")
"""Bounds how long a deploy goes unnoticed; within it no request at all."""

_REVALIDATE: Final[Field] = (b"cache-control", b"no-cache")
"""Pages name the assets of their own version: always ask."""

_NO_STORE: Final[Field] = (b"cache-control", b"no-store")
_VARY: Final[Field] = (b"vary", b"accept-encoding")
_ANY_ORIGIN: Final[Field] = (b"access-control-allow-origin", b"*")
_BYTES: Final[Field] = (b"accept-ranges", b"bytes")
_NO_SNIFFING: Final[Field] = (b"x-content-type-options", b"nosniff")
_SANDBOX: Final[Field] = (b"content-security-policy", b"sandbox; default-src 'none'")
"""A user's file that is opened as a page has no origin, no scripts and nothing to load (CSP 3 §6.2.2)."""

_ATTACHMENT: Final[Field] = (b"content-disposition", b"attachment")
"""What a browser might run is saved instead; a page can still show it as an image (RFC 6266 §4.2)."""

_ALLOW: Final[Field] = (b"allow", b"GET, HEAD, OPTIONS")

OPTIONS_ANSWER: Final = ResponseHead(204, (SERVER_FIELD, _ALLOW))
METHOD_REFUSAL: Final = ResponseHead(405, (SERVER_FIELD, _ALLOW), 0)


class Traits(Struct, frozen=True, gc=False):
    """What all variants of a file share. `has_variants`: what is sent depends on Accept-Encoding. `content_hash` is the hash
    in an immutable name, or b"". `is_upload`: it comes from a user."""

    media_type: bytes
    is_immutable: bool = False
    has_variants: bool = False
    content_hash: bytes = b""
    is_upload: bool = False


class Heads(Struct, frozen=True):
    """The heads of one variant: two ready to be sent again and again, the others made when asked for."""

    whole: ResponseHead
    not_modified: ResponseHead
    policy: Fields
    content: Fields
    media_type: bytes

    def partial(self, content_range: bytes, length: int) -> ResponseHead:
        """206 with one range."""
        fields = (SERVER_FIELD, (b"content-type", self.media_type), (b"content-range", content_range))
        return ResponseHead(206, (*fields, *self.content, *self.policy), length)

    def multipart(self, media_type: bytes, length: int) -> ResponseHead:
        """206 with several."""
        return ResponseHead(206, (SERVER_FIELD, (b"content-type", media_type), *self.content, *self.policy), length)

    def unsatisfied(self, size: int) -> ResponseHead:
        """416."""
        fields = (SERVER_FIELD, (b"content-range", unsatisfied_range(size)), _BYTES)
        return ResponseHead(416, (*fields, *self._refusal_policy()), 0)

    def failed(self) -> ResponseHead:
        """412."""
        return ResponseHead(412, (SERVER_FIELD, *self._refusal_policy()), 0)

    def _refusal_policy(self) -> Fields:
        return (_NO_STORE, *(field for field in self.policy if field in (_VARY, _ANY_ORIGIN)))


def make_heads(traits: Traits, coding: bytes, validators: Validators, size: int) -> Heads:
    """The heads of one variant; `coding` is b"" for the identity, `size` the bytes of the variant as stored."""
    policy = _policy(traits, validators)
    content = _content(coding, validators)
    if traits.is_upload:
        content = (*content, _SANDBOX, *([_ATTACHMENT] if is_active(traits.media_type) else []))
    whole = (SERVER_FIELD, (b"content-type", traits.media_type), *content, *policy)
    return Heads(
        whole=ResponseHead(200, whole, size),
        not_modified=ResponseHead(304, (SERVER_FIELD, *policy)),
        policy=policy,
        content=content,
        media_type=traits.media_type,
    )


def redirect_head(location: bytes) -> ResponseHead:
    """308 to a path on the same host."""
    return ResponseHead(308, (SERVER_FIELD, (b"location", location), _SHORT), 0)


def _policy(traits: Traits, validators: Validators) -> Fields:
    fields = [_caching(traits), (b"etag", validators.etag)]
    if traits.has_variants:
        fields.append(_VARY)
    if (traits.is_immutable or is_font(traits.media_type)) and not traits.is_upload:
        fields.append(_ANY_ORIGIN)
    return tuple(fields)


def _caching(traits: Traits) -> Field:
    if traits.is_immutable:
        return _IMMUTABLE
    return _REVALIDATE if traits.media_type == HTML else _SHORT


def _content(coding: bytes, validators: Validators) -> Fields:
    fields = ((b"last-modified", format_http_date(validators.modified)), _BYTES, _NO_SNIFFING)
    return ((b"content-encoding", coding), *fields) if coding else fields
