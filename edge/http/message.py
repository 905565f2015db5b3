"""Requests and response heads as every room sees them, whatever the protocol version on the wire.

A value of these types is valid: names are lower-case tokens, values hold no control character, framing fields are not
among the fields but in `content_length`, hop-by-hop fields are gone. Engines in `wire` make requests and write responses;
handlers only ever see this form. That is what makes request smuggling impossible by construction: nothing is copied from
one connection to another, everything is written anew.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

Field: TypeAlias = tuple[bytes, bytes]
"""One field line: lower-case name, value without surrounding white space (RFC 9110 §5)."""

Fields: TypeAlias = tuple[Field, ...]

SERVER_FIELD: Field = (b"server", b"edge")
"""First field of every response that edge itself makes (RFC 9110 §10.2.4). No version: that would only help attackers."""

HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    )
)
"""Fields that belong to one connection and never cross edge (RFC 9110 §7.6.1, RFC 9113 §8.2.2)."""


class Request(Struct, frozen=True, gc=False):
    """The head of one valid request.

    `authority` is what the client asked for (RFC 9110 §7.2), lower-case, the port of the scheme removed; it is not
    repeated among `fields` as Host. `target` is origin-form (`/path?query`), byte for byte as sent, or `*` for OPTIONS.
    `content_length` is 0 without a body and None when the length is not known in advance. `version` is b"1.0", b"1.1" or
    b"2". `expects_continue` asks for `100 Continue` before the body is sent. `accepts_trailers`: the client has said
    `TE: trailers` (RFC 9110 §10.1.4).

    `upgrade` is b"websocket" for a valid WebSocket handshake, else b"": a GET in HTTP/1.1, which may also be answered as if it
    asked for nothing; in HTTP/2 an extended CONNECT (RFC 8441), whose method stays CONNECT so that no handler takes it for a GET.
    """

    method: bytes
    scheme: bytes
    authority: bytes
    target: bytes
    fields: Fields
    content_length: int | None = 0
    version: bytes = b"1.1"
    expects_continue: bool = False
    upgrade: bytes = b""
    accepts_trailers: bool = False

    def field(self, name: bytes) -> bytes | None:
        """The value of the first field line called `name` (lower-case), or None."""
        for key, value in self.fields:
            if key == name:
                return value
        return None

    def combined(self, name: bytes) -> bytes | None:
        """All values of `name` joined by commas, as RFC 9110 §5.3 allows for list fields, or None."""
        values = [value for key, value in self.fields if key == name]
        return b", ".join(values) if values else None


class ResponseHead:
    """The head of one response.

    `fields` leaves out framing, `date` may be left out (the engine adds it). `content_length` None means that the length
    is not known: chunked in HTTP/1.1, END_STREAM in HTTP/2. Bodiless answers (HEAD, 204, 304) keep the length they announce.

    A head that is sent many times (a static file's) is made once and kept: engines remember its bytes in `serialised`,
    under their own key, so treat it as frozen once it has been sent.
    """

    __slots__ = ("content_length", "fields", "serialised", "status")

    def __init__(self, status: int, fields: Fields = (), content_length: int | None = None) -> None:
        self.status = status
        self.fields = fields
        self.content_length = content_length
        self.serialised: dict[str, object] | None = None

    def __repr__(self) -> str:
        return f"<ResponseHead {self.status} {self.content_length} {self.fields!r}>"

    def field(self, name: bytes) -> bytes | None:
        """The value of the first field line called `name` (lower-case), or None."""
        for key, value in self.fields:
            if key == name:
                return value
        return None


def is_bodiless(method: bytes, status: int) -> bool:
    """Whether a response to `method` with `status` has no body, whatever its fields say (RFC 9112 §6.3)."""
    return method == b"HEAD" or status in (204, 304) or 100 <= status < 200
