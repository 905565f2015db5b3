"""HPACK decoding (RFC 7541) for a server that is attacked: bounded in every direction, and quick for what repeats.

The decoder never skips a field, for the dynamic table must stay in step with the peer's; it gives the block up as a whole
when its fields pass a multiple of what a request may have. Blocks that leave the table as it was are remembered: clients
that repeat a request send the same bytes again.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import Final

from hpack.exceptions import HPACKDecodingError, OversizedHeaderListError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from edge.http.limits import HEAD_TOLERANCE, MAX_FIELDS, MAX_HEAD
from edge.http.message import Field, Fields

_STATIC: Final[tuple[Field, ...]] = HeaderTable.STATIC_TABLE
_STATIC_SIZE: Final = len(_STATIC)

TABLE_SIZE: Final = 4096
"""SETTINGS_HEADER_TABLE_SIZE: the default, which every peer may use before it has read our SETTINGS."""

_ENTRY_OVERHEAD: Final = 32
"""What a field counts for besides its bytes (RFC 7541 §4.1, RFC 9113 §6.5.2)."""

_MAX_SIZE_UPDATES: Final = 2
"""Per block: lowest and last size are all that can be worth saying (RFC 7541 §4.2)."""

_MAX_INTEGER_SHIFT: Final = 21
"""Four continuation octets: more than any length or index that we accept."""

_MEMO_BLOCKS: Final = 16
_MEMO_BLOCK_SIZE: Final = 1024
_MEMO_HUFFMAN_SIZE: Final = 128


class BlockDecoder:
    """Header blocks of one connection → field lines.

    The four attribute names without underscore are those that h2 expects of a decoder.
    """

    __slots__ = ("_dynamic", "_memo", "_table_limit", "_table_used", "max_allowed_table_size", "max_header_list_size")

    def __init__(self) -> None:
        self.max_header_list_size: int = MAX_HEAD * HEAD_TOLERANCE
        self.max_allowed_table_size: int = TABLE_SIZE
        self._table_limit = TABLE_SIZE
        self._table_used = 0
        self._dynamic: deque[Field] = deque()
        self._memo: dict[bytes, Fields] = {}

    @property
    def header_table_size(self) -> int:
        """What the peer's encoder has last set its table to."""
        return self._table_limit

    def decode(self, block: bytes, raw: bool = True) -> Fields:
        """All field lines of a complete block, in order; `raw` is there for h2 and must be true.

        Raises: OversizedHeaderListError when they are too many or too large, HPACKDecodingError when the block is broken.
        Either way the table is out of step and the connection must end.
        """
        assert raw
        known = self._memo.get(block)
        if known is not None:
            return known
        try:
            fields, table_kept = self._decode(block)
        except IndexError as exc:
            raise HPACKDecodingError("truncated block") from exc
        if table_kept and len(block) <= _MEMO_BLOCK_SIZE:
            if len(self._memo) >= _MEMO_BLOCKS:
                self._memo.clear()
            self._memo[block] = fields
        return fields

    def _decode(self, block: bytes) -> tuple[Fields, bool]:
        fields: list[Field] = []
        position = list_size = updates = 0
        table_kept = True
        while position < len(block):
            octet = block[position]
            if octet & 0x80:  # §6.1, both from the table
                index, position = _integer(block, position, 0x7F)
                field = self._entry(index)
            elif octet & 0x40:  # §6.2.1, literal that enters the table
                field, position = self._literal(block, position, 0x3F)
                self._insert(field)
                table_kept = False
            elif octet & 0x20:  # §6.3, size update
                updates += 1
                if fields or updates > _MAX_SIZE_UPDATES:
                    raise HPACKDecodingError("misplaced or repeated size update")
                position = self._resize(block, position)
                table_kept = False
                continue
            else:  # §6.2.2, §6.2.3, literal that does not
                field, position = self._literal(block, position, 0x0F)
            fields.append(field)
            list_size += len(field[0]) + len(field[1]) + _ENTRY_OVERHEAD
            if list_size > self.max_header_list_size or len(fields) > MAX_FIELDS * HEAD_TOLERANCE:
                raise OversizedHeaderListError("too many or too large fields")
        return tuple(fields), table_kept

    def _entry(self, index: int) -> Field:
        if index <= _STATIC_SIZE:
            if not index:
                raise HPACKDecodingError("index zero")
            return _STATIC[index - 1]
        return self._dynamic[index - _STATIC_SIZE - 1]

    def _literal(self, block: bytes, position: int, mask: int) -> tuple[Field, int]:
        index, position = _integer(block, position, mask)
        if index:
            name = self._entry(index)[0]
        else:
            name, position = _string(block, position)
        value, position = _string(block, position)
        return (name, value), position

    def _insert(self, field: Field) -> None:
        """§4.4: an entry larger than the table empties it."""
        self._memo.clear()
        self._dynamic.appendleft(field)
        self._table_used += len(field[0]) + len(field[1]) + _ENTRY_OVERHEAD
        self._evict()

    def _resize(self, block: bytes, position: int) -> int:
        size, position = _integer(block, position, 0x1F)
        if size > self.max_allowed_table_size:
            raise HPACKDecodingError("table size above our setting")
        self._memo.clear()
        self._table_limit = size
        self._evict()
        return position

    def _evict(self) -> None:
        while self._table_used > self._table_limit:
            name, value = self._dynamic.pop()
            self._table_used -= len(name) + len(value) + _ENTRY_OVERHEAD


def _integer(block: bytes, position: int, mask: int) -> tuple[int, int]:
    """A prefix integer (RFC 7541 §5.1) and the position behind it."""
    number = block[position] & mask
    position += 1
    if number < mask:
        return number, position
    shift = 0
    while True:
        octet = block[position]
        position += 1
        number += (octet & 0x7F) << shift
        if octet < 0x80:
            return number, position
        shift += 7
        if shift > _MAX_INTEGER_SHIFT:
            raise HPACKDecodingError("integer too long")


def _string(block: bytes, position: int) -> tuple[bytes, int]:
    """A string literal (RFC 7541 §5.2) and the position behind it."""
    huffman = block[position] & 0x80
    length, position = _integer(block, position, 0x7F)
    end = position + length
    if end > len(block):
        raise HPACKDecodingError("truncated string")
    text = block[position:end]
    if not huffman:
        return text, end
    return (_decode_short(text) if length <= _MEMO_HUFFMAN_SIZE else decode_huffman(text)), end


@lru_cache(maxsize=1024)
def _decode_short(text: bytes) -> bytes:
    """Huffman strings that are short repeat: names, paths, agents. Decoding costs a loop over half-octets."""
    return decode_huffman(text)
