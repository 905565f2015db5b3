"""A decoded HTTP/2 header list → `Request`, by the one grammar of `edge.http.validation` (RFC 9113 §8.2, §8.3).

Both engines come through here, whatever they have checked themselves. What passes is one clean request and nothing else; a
failure concerns its stream only. CONNECT is refused, but for the WebSocket handshake of RFC 8441.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import Final

from edge.errors import RequestRefused
from edge.http.limits import MAX_FIELDS, MAX_HEAD
from edge.http.message import HOP_BY_HOP, Field, Fields, Request
from edge.http.validation import check_field, check_method, check_target, normalise_authority, parse_content_length
from edge.http.websocket import WEBSOCKET, has_version

_PSEUDO: Final = frozenset((b":method", b":scheme", b":authority", b":path", b":protocol"))

_FORBIDDEN: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"http2-settings")
)
"""Speak of a connection that HTTP/2 does not have; their presence makes a request malformed (RFC 9113 §8.2.2)."""

_FRAMING: Final = _FORBIDDEN | {b"content-length"}

_SPECIAL: Final = HOP_BY_HOP | _FRAMING | {b"cookie", b"expect", b"host"}
"""Everything that does not simply go into `Request.fields`."""

_FIELD_OVERHEAD: Final = 32
"""What a field counts for besides its bytes (RFC 9113 §6.5.2)."""

_MEMO_LINES: Final = 2048
_MEMO_LINE: Final = 256

_ordinary: set[Field] = set()
"""Lines known to be good and to need no treatment: most lines of most requests."""

_normalise_authority = lru_cache(maxsize=256)(normalise_authority)


_MEMO_HEADS: Final = 1024
_MEMO_HEAD: Final = 2048
"""Remembered header lists of requests without a body, and the longest of them; as in `request_head` for HTTP/1.1."""

_known: dict[tuple[bytes, Fields], Request] = {}


def parse_request(headers: Fields, ended: bool, scheme: bytes) -> Request:
    """The request that `headers` describe; `ended` when END_STREAM came with them, `scheme` is the transport's.

    Raises: RequestRefused with the status that tells the client why.
    """
    if not ended:
        return _parse(headers, ended, scheme)
    key = (scheme, headers)
    known = _known.get(key)
    if known is None:
        known = _parse(headers, ended, scheme)
        if sum(map(len, chain.from_iterable(headers))) <= _MEMO_HEAD:
            if len(_known) >= _MEMO_HEADS:
                _known.clear()
            _known[key] = known
    return known


def _parse(headers: Fields, ended: bool, scheme: bytes) -> Request:
    pseudo = _split_pseudo(headers)
    method = pseudo.get(b":method", b"")
    upgrade = b""
    if b":protocol" in pseudo:
        upgrade = _check_extended_connect(method, pseudo[b":protocol"], ended)
    else:
        check_method(method)
    if pseudo.get(b":scheme") != scheme:
        raise RequestRefused(400, "scheme")
    target = pseudo.get(b":path", b"")
    check_target(method, target)
    head = _Fields()
    for line in headers[len(pseudo) :]:
        if line in _ordinary:
            head.kept.append(line)
        else:
            head.add(line)
    content_length = _body_length(head.content_length, ended)
    fields = head.finish()
    if upgrade and (content_length is not None or not has_version(fields)):
        raise RequestRefused(400, "websocket-handshake")
    return Request(
        method=method,
        scheme=scheme,
        authority=_authority(pseudo.get(b":authority"), head.host, scheme),
        target=target,
        fields=fields,
        content_length=content_length,
        version=b"2",
        expects_continue=head.expects_continue and content_length != 0,
        upgrade=upgrade,
        accepts_trailers=head.accepts_trailers,
    )


def _check_extended_connect(method: bytes, protocol: bytes, ended: bool) -> bytes:
    """What the stream is to become (RFC 8441 §4, §5). Refused with 501: protocols that we do not know (RFC 9220 §3)."""
    if method != b"CONNECT" or ended:
        raise RequestRefused(400, "extended-connect")
    if protocol.lower() != WEBSOCKET:
        raise RequestRefused(501, "protocol")
    return WEBSOCKET


def check_trailers(headers: Fields) -> None:
    """Refuse trailers that make a request malformed; the others are dropped by the caller, unseen by anyone.

    Raises: RequestRefused; the head is long delivered, so only its reason is of use.
    """
    if len(headers) > MAX_FIELDS:
        raise RequestRefused(431, "too-many-fields")
    for name, value in headers:
        if name in _FRAMING:
            raise RequestRefused(400, "trailer-framing")
        check_field(name, value)


def is_head_request(headers: Fields) -> bool:
    """Whether a request asks for HEAD, for the answer to one that has been refused."""
    return (b":method", b"HEAD") in headers


def _split_pseudo(headers: Fields) -> dict[bytes, bytes]:
    """The pseudo-fields, which come first and once each (RFC 9113 §8.3)."""
    pseudo: dict[bytes, bytes] = {}
    for name, value in headers:
        if name[:1] != b":":
            break
        if name not in _PSEUDO or name in pseudo:
            raise RequestRefused(400, "pseudo-field")
        pseudo[name] = value
    if len(headers) - len(pseudo) > MAX_FIELDS:
        raise RequestRefused(431, "too-many-fields")
    if sum(map(len, chain.from_iterable(headers))) + len(headers) * _FIELD_OVERHEAD > MAX_HEAD:
        raise RequestRefused(431, "head-too-large")
    return pseudo


class _Fields:
    """The regular fields of one request while they are read."""

    __slots__ = ("_crumbs", "accepts_trailers", "content_length", "expects_continue", "host", "kept")

    def __init__(self) -> None:
        self.host: bytes | None = None
        self.content_length: int | None = None
        self.expects_continue = False
        self.accepts_trailers = False
        self.kept: list[Field] = []
        self._crumbs: list[bytes] = []

    def add(self, line: Field) -> None:
        """Judge a line and put it where it belongs."""
        name, value = line
        check_field(name, value)
        if name in _SPECIAL:
            self._add_special(name, value)
        elif b"_" not in name:  # dropped like in HTTP/1.1: origins take `_` and `-` for the same
            self.kept.append(line)
            if len(name) + len(value) <= _MEMO_LINE:
                _remember(line)

    def _add_special(self, name: bytes, value: bytes) -> None:
        if name == b"cookie":
            self._crumbs.append(value)
        elif name == b"host":
            if self.host is not None:
                raise RequestRefused(400, "host")
            self.host = value
        elif name == b"content-length":
            if self.content_length is not None:
                raise RequestRefused(400, "content-length")
            self.content_length = parse_content_length(value)
        elif name == b"expect":
            if value.lower() != b"100-continue":
                raise RequestRefused(417, "expectation")
            self.expects_continue = True
        elif name in _FORBIDDEN or (name == b"te" and value.lower() != b"trailers"):
            raise RequestRefused(400, "connection-field")
        elif name == b"te":
            self.accepts_trailers = True

    def finish(self) -> Fields:
        """The fields to keep, cookie crumbs joined into one line (RFC 9113 §8.2.3)."""
        if self._crumbs:
            cookie = b"; ".join([crumb for crumb in self._crumbs if crumb])
            self.kept.append((b"cookie", cookie))
        return tuple(self.kept)


def _remember(line: Field) -> None:
    if len(_ordinary) >= _MEMO_LINES:
        _ordinary.clear()
    _ordinary.add(line)


def _authority(authority: bytes | None, host: bytes | None, scheme: bytes) -> bytes:
    """`:authority`, else Host; both must mean the same (RFC 9113 §8.3.1)."""
    if authority is None:
        if host is None:
            raise RequestRefused(400, "authority")
        return _normalise_authority(host, scheme)
    normal = _normalise_authority(authority, scheme)
    if host is not None and _normalise_authority(host, scheme) != normal:
        raise RequestRefused(400, "host-differs")
    return normal


def _body_length(announced: int | None, ended: bool) -> int | None:
    """What the body will have: nothing after END_STREAM, else what is announced, which may be nothing."""
    if not ended:
        return announced
    if announced:
        raise RequestRefused(400, "content-length")
    return 0
