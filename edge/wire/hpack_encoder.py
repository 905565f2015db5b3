"""HPACK encoding without state: the static table and literals only, never the dynamic table, no Huffman.

A block then means the same at any moment on any connection, so a response head becomes bytes once and is kept; nothing that
a client sends can make encoding slower; and no secret shares a compression context with what an attacker chooses (RFC 7541
§7.1). It costs a hundred bytes more on the wire per response.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from hpack.table import HeaderTable

from edge.http.dates import DateCache
from edge.http.message import Field, Fields, ResponseHead

_INDEX: Final[dict[Field, int]] = {field: index for index, field in enumerate(HeaderTable.STATIC_TABLE, 1)}
_NAME_INDEX: Final[dict[bytes, int]] = {
    name: index for index, (name, _) in reversed(list(enumerate(HeaderTable.STATIC_TABLE, 1)))
}

_NEVER_INDEXED: Final = frozenset((b"set-cookie", b"www-authenticate", b"cookie", b"authorization"))
"""Marked so that no proxy on the way puts them into its table either (RFC 7541 §7.1.3)."""

EMPTY_TABLE: Final = b"\x20"
"""A table size update to 0 (RFC 7541 §6.3)."""


def encode_field(name: bytes, value: bytes) -> bytes:
    """One field line as a literal without indexing (RFC 7541 §6.2.2). The name is lower-case, both are valid."""
    size = len(value)
    if size < 0x7F:
        return _prefix(name) + _SHORT_LENGTH[size] + value
    return _prefix(name) + _encode_integer(size, 0x7F, 0) + value


def encode_fields(fields: Fields) -> bytes:
    """A block of field lines, or a part of one."""
    return b"".join([encode_field(name, value) for name, value in fields])


def encode_request_fields(fields: Fields) -> bytes:
    """The same for fields whose names visitors have chosen."""
    parts: list[bytes] = []
    for name, value in fields:
        prefix = _request_prefix(name) if len(name) <= _MEMO_NAME else _make_prefix(name)
        parts += (prefix, _encode_integer(len(value), 0x7F, 0), value)
    return b"".join(parts)


def encode_status(status: int) -> bytes:
    """The `:status` field: one octet for the seven that the static table has."""
    value = b"%d" % status
    index = _INDEX.get((b":status", value))
    return bytes((0x80 | index,)) if index else encode_field(b":status", value)


def _make_prefix(name: bytes) -> bytes:
    """Everything before the value's length."""
    pattern = 0x10 if name in _NEVER_INDEXED else 0x00
    index = _NAME_INDEX.get(name)
    if index:
        return _encode_integer(index, 0x0F, pattern)
    return bytes((pattern,)) + _encode_integer(len(name), 0x7F, 0) + name


_prefix: Final = lru_cache(maxsize=512)(_make_prefix)
"""Names of response fields come from our side, so the cache stays small."""

_request_prefix: Final = lru_cache(maxsize=512)(_make_prefix)
_MEMO_NAME: Final = 64
"""Names of request fields come from visitors, so they have a cache of their own, and long ones have none."""


def _encode_integer(number: int, mask: int, pattern: int) -> bytes:
    """RFC 7541 §5.1, with the bits of `pattern` above the prefix."""
    if number < mask:
        return bytes((pattern | number,))
    octets = bytearray((pattern | mask,))
    number -= mask
    while number >= 0x80:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    octets.append(number)
    return bytes(octets)


_SHORT_LENGTH: Final = tuple(bytes((size,)) for size in range(0x7F))


class StatelessEncoder:
    """What h2 wants of an encoder: it tells the peer's table size and never uses the table.

    `take_size_update` is what the next block must begin with: the peer's decoder expects word whenever it has made its
    table smaller (RFC 7541 §4.2), and the first block says that the table is empty.
    """

    __slots__ = ("_size_update", "_table_size")

    def __init__(self) -> None:
        self._table_size = 0
        self._size_update = EMPTY_TABLE

    @property
    def header_table_size(self) -> int:
        """SETTINGS_HEADER_TABLE_SIZE of the peer: 0 until it has spoken, for we use none of it."""
        return self._table_size

    @header_table_size.setter
    def header_table_size(self, size: int) -> None:
        self._table_size = size
        self._size_update = EMPTY_TABLE

    def encode(self, headers: Fields) -> bytes:
        """A complete block."""
        return self.take_size_update() + encode_fields(headers)

    def take_size_update(self) -> bytes:
        """The beginning of the next block; b"" nearly always."""
        update, self._size_update = self._size_update, b""
        return update


class HeadEncoder:
    """Response heads → header blocks. One per process: it keeps nothing of a connection."""

    __slots__ = ("_date", "_date_field", "_dates")

    def __init__(self, dates: DateCache) -> None:
        self._dates = dates
        self._date = b""
        self._date_field = b""

    def encode(self, head: ResponseHead) -> bytes:
        """The block of a final head; what does not change with time is remembered in `head.serialised`."""
        known = head.serialised
        if known is None:
            known = head.serialised = {}
        block = known.get("hpack")
        if block is None:
            block = known["hpack"] = _encode_head(head)
            known["dated"] = head.field(b"date") is not None
        assert isinstance(block, bytes)
        return block if known.get("dated") else block + self._current_date()

    def encode_interim(self, status: int, fields: Fields) -> bytes:
        """The block of a 1xx head."""
        return encode_status(status) + encode_fields(fields)

    def _current_date(self) -> bytes:
        date = self._dates.current()
        if date is not self._date:
            self._date = date
            self._date_field = encode_field(b"date", date)
        return self._date_field


def _encode_head(head: ResponseHead) -> bytes:
    parts = [encode_status(head.status)]
    parts += [encode_field(name, value) for name, value in head.fields]
    if announces_length(head):
        parts.append(encode_field(b"content-length", b"%d" % (head.content_length or 0)))
    return b"".join(parts)


def announces_length(head: ResponseHead) -> bool:
    """Whether `content-length` is among the fields sent: known, and not forbidden by RFC 9110 §8.6."""
    return head.content_length is not None and head.status != 204
