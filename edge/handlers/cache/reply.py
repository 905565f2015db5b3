"""What to answer a GET or HEAD with from a stored response: conditions, ranges, the fields of the moment. Pure."""

from __future__ import annotations

from secrets import token_hex

from msgspec import Struct, structs

from edge.handlers.cache.record import Response
from edge.http.cache_status import with_cache_status
from edge.http.conditional import CONDITION_FIELDS, Conditions, Decision, Validators, conditions_of, decide
from edge.http.dates import parse_http_date
from edge.http.exchange import Exchange
from edge.http.message import Fields, Request, ResponseHead
from edge.http.ranges import (
    ByteRange,
    Piece,
    content_range,
    length_of,
    multipart_pieces,
    multipart_type,
    parse_range,
    unsatisfied_range,
)


class Reply(Struct, frozen=True):
    """One answer. `pieces` is empty when there is no body to send, for HEAD too."""

    head: ResponseHead
    pieces: list[Piece]


def fields_of_moment(response: Response, exchange: Exchange, member: bytes, now: float) -> Fields:
    """The stored fields with Age (RFC 9111 §5.1), what the cache says of this exchange, and its id."""
    own = ((b"age", b"%d" % response.lifetime.age(now)), (b"x-request-id", exchange.request_id.encode("ascii")))
    return with_cache_status((*response.fields, *own), member)


def reply_to(request: Request, response: Response, fields: Fields, length: int | None) -> Reply:
    """The answer with these fields; `length` None means that the body is still coming and nobody knows how long it is."""
    if response.status == 204:
        return Reply(ResponseHead(204, fields), [])
    if response.status == 200 and any(name in CONDITION_FIELDS for name, _ in request.fields):
        return _conditional(request, response, fields, length)
    return _whole(request, ResponseHead(response.status, fields, length), length)


def _whole(request: Request, head: ResponseHead, length: int | None) -> Reply:
    if request.method != b"GET" or length == 0:
        return Reply(head, [])
    return Reply(head, [ByteRange(0, ENDLESS if length is None else length)])


ENDLESS = 1 << 62
"""Where a body stops that is still coming."""


def _conditional(request: Request, response: Response, fields: Fields, length: int | None) -> Reply:
    conditions, current = _effective(conditions_of(request.fields), response)
    decision = decide(request.method, conditions, current)
    if decision is Decision.FAILED:
        return Reply(ResponseHead(412, _without_content(fields), 0), [])
    if decision is Decision.NOT_MODIFIED:
        return Reply(ResponseHead(304, _without_content(fields)), [])
    ranges = None
    if decision is Decision.RANGE and length is not None:
        ranges = parse_range(conditions.range or b"", length)
    if ranges is None or length is None:
        return _whole(request, ResponseHead(200, fields, length), length)
    return _partial(ranges, fields, length)


def _effective(conditions: Conditions, response: Response) -> tuple[Conditions, Validators]:
    """The conditions that the stored validators can answer. A weak tag says nothing about single bytes (RFC 9110 §13.1.5)."""
    etag = response.field(b"etag") or b""
    modified = parse_http_date(response.field(b"last-modified") or b"")
    if conditions.if_range is not None and (etag.startswith(b"W/") or not etag):
        conditions = structs.replace(conditions, range=None)
    if modified is None:
        conditions = structs.replace(conditions, if_modified_since=None, if_unmodified_since=None)
    return conditions, Validators(etag.removeprefix(b"W/"), modified or 0, is_date_strong=False)


def _without_content(fields: Fields) -> Fields:
    """RFC 9110 §15.4.5: what a client needs to renew what it has, without a word about a body that is not there."""
    return tuple(line for line in fields if line[0] not in _ABOUT_BODY)


_ABOUT_BODY = frozenset((
    b"content-type", b"content-encoding", b"content-language", b"content-range", b"content-disposition", b"content-md5",
    b"digest", b"content-digest", b"repr-digest", b"last-modified", b"accept-ranges",
))  # fmt: skip


def _partial(ranges: list[ByteRange], fields: Fields, length: int) -> Reply:
    if not ranges:
        lines = (*_without_content(fields), (b"content-range", unsatisfied_range(length)))
        return Reply(ResponseHead(416, lines, 0), [])
    if len(ranges) == 1:
        lines = (*fields, (b"content-range", content_range(ranges[0], length)))
        return Reply(ResponseHead(206, lines, len(ranges[0])), [ranges[0]])
    boundary = token_hex(16).encode()
    media_type = next((value for name, value in fields if name == b"content-type"), b"application/octet-stream")
    pieces = multipart_pieces(ranges, length, media_type, boundary)
    kept = tuple(line for line in fields if line[0] != b"content-type")
    lines = (*kept, (b"content-type", multipart_type(boundary)))
    return Reply(ResponseHead(206, lines, length_of(pieces)), pieces)


def cut(body: bytes, pieces: list[Piece]) -> bytes:
    """The pieces of a body that is in memory, joined."""
    if len(pieces) == 1 and isinstance(pieces[0], ByteRange) and len(pieces[0]) == len(body):
        return body
    return b"".join(body[piece.start : piece.stop] if isinstance(piece, ByteRange) else piece for piece in pieces)
