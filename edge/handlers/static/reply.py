"""What to answer a GET or HEAD for one entry with: a head, and the pieces of the body. Pure."""

from __future__ import annotations

from secrets import token_hex

from msgspec import Struct

from edge.handlers.static.entry import Entry, Variant
from edge.http.conditional import Decision, conditions_of, decide
from edge.http.message import Request, ResponseHead
from edge.http.ranges import (
    ByteRange,
    Piece,
    content_range,
    length_of,
    multipart_pieces,
    multipart_type,
    parse_range,
)


class Reply(Struct, frozen=True):
    """One answer. `pieces` is empty when there is no body to send, for HEAD too."""

    variant: Variant
    head: ResponseHead
    pieces: list[Piece]


def reply_to(request: Request, entry: Entry) -> Reply:
    """Negotiate (RFC 9110 §12), hold the conditions against the variant (§13), then its range (§14)."""
    variant = entry.variant_for(request.combined(b"accept-encoding"))
    conditions = conditions_of(request.fields)
    match decide(request.method, conditions, variant.validators):
        case Decision.FAILED:
            return Reply(variant, variant.heads.failed(), [])
        case Decision.NOT_MODIFIED:
            return Reply(variant, variant.heads.not_modified, [])
        case Decision.RANGE:
            ranges = parse_range(conditions.range or b"", variant.size)
        case Decision.WHOLE:
            ranges = None
    if ranges is not None:
        return _partial(variant, ranges)
    wanted: list[Piece] = [ByteRange(0, variant.size)] if request.method == b"GET" else []
    return Reply(variant, variant.heads.whole, wanted)


def _partial(variant: Variant, ranges: list[ByteRange]) -> Reply:
    heads, size = variant.heads, variant.size
    if not ranges:
        return Reply(variant, heads.unsatisfied(size), [])
    if len(ranges) == 1:
        return Reply(variant, heads.partial(content_range(ranges[0], size), len(ranges[0])), [ranges[0]])
    boundary = token_hex(16).encode()
    pieces = multipart_pieces(ranges, size, heads.media_type, boundary)
    return Reply(variant, heads.multipart(multipart_type(boundary), length_of(pieces)), pieces)


def cut(body: bytes, pieces: list[Piece]) -> bytes:
    """The pieces of a body that is in memory, joined."""
    return b"".join(body[piece.start : piece.stop] if isinstance(piece, ByteRange) else piece for piece in pieces)
