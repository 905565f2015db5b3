"""The HPACK codec against the library's own, and against what nobody should send."""

from __future__ import annotations

import hpack
import pytest
from hpack.exceptions import HPACKDecodingError, HPACKError, OversizedHeaderListError
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.http.dates import DateCache
from edge.http.message import ResponseHead
from edge.wire.hpack_decoder import BlockDecoder
from edge.wire.hpack_encoder import EMPTY_TABLE, HeadEncoder, StatelessEncoder, encode_field, encode_status

_TEXT = st.one_of(st.sampled_from([b"a", b"accept", b":path", b"cookie", b"x" * 200]), st.binary(max_size=150))
_LISTS = st.lists(st.tuples(_TEXT, _TEXT), max_size=8)


@settings(max_examples=80, deadline=None)
@given(st.lists(_LISTS, max_size=4), st.booleans(), st.sampled_from([4096, 0, 100, 4096]))
def test_what_hpack_encodes_is_decoded(blocks: list[list[tuple[bytes, bytes]]], huffman: bool, size: int) -> None:
    """Block after block, with and without Huffman, with a table that changes its size and evicts."""
    encoder, decoder = hpack.Encoder(), BlockDecoder()
    for number, fields in enumerate(blocks):
        if number == 1:
            encoder.header_table_size = size
        for _ in range(2):
            assert decoder.decode(encoder.encode(fields, huffman=huffman)) == tuple(fields)


@settings(max_examples=80, deadline=None)
@given(_LISTS)
def test_what_we_encode_is_decoded(fields: list[tuple[bytes, bytes]]) -> None:
    """The stateless encoder's blocks mean what went in, and leave the peer's table empty."""
    encoder, decoder = StatelessEncoder(), hpack.Decoder()
    for _ in range(2):
        block = encoder.encode(tuple(fields))
        assert [(bytes(name), bytes(value)) for name, value in decoder.decode(block, raw=True)] == fields
    assert decoder.header_table_size == (0 if decoder.header_table.resized else 4096)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=3))
def test_random_blocks_decode_like_the_library_or_fail(blocks: list[bytes]) -> None:
    """Whatever the library decodes we decode to the same; we may refuse more, never less."""
    ours, theirs = BlockDecoder(), hpack.Decoder()
    for block in blocks:
        try:
            fields = ours.decode(block)
        except HPACKError:
            return
        assert [tuple(each) for each in theirs.decode(block, raw=True)] == list(fields)


@pytest.mark.parametrize(
    "block",
    [
        b"\x80",
        b"\xbe",
        b"\xff\xff\xff\xff\xff\xff\x01",
        b"\x00\x05ab",
        b"\x00",
        b"\x40",
        b"\x0f",
        b"\x00\x01a\x81\x00",
        b"\x82\x20",
        b"\x20\x20\x20",
        b"\x3f\xe2\x1f",
    ],
)
def test_broken_blocks_are_refused(block: bytes) -> None:
    """Index zero or out of the table, endless integers, truncation, bad Huffman, misplaced or too large size updates."""
    with pytest.raises(HPACKDecodingError):
        BlockDecoder().decode(block)


def test_lists_are_bounded() -> None:
    """Four hundred fields, or 128 KiB with overhead, end the decoding."""
    with pytest.raises(OversizedHeaderListError):
        BlockDecoder().decode(b"\x82" * 401)
    decoder = BlockDecoder()
    decoder.decode(b"\x40\x01a\x7f\xa1\x1e" + b"b" * 4000)
    with pytest.raises(OversizedHeaderListError):
        decoder.decode(b"\xbe" * 33)


def test_a_remembered_block_is_forgotten_with_its_table() -> None:
    """The same bytes mean something else once the table has changed."""
    decoder = BlockDecoder()
    decoder.decode(b"\x40\x01a\x01b")
    assert decoder.decode(b"\xbe") == ((b"a", b"b"),)
    decoder.decode(b"\x40\x01c\x01d")
    assert decoder.decode(b"\xbe") == ((b"c", b"d"),)
    decoder.decode(b"\x20")
    with pytest.raises(HPACKDecodingError):
        decoder.decode(b"\xbe")


def test_a_status_is_one_octet_where_the_table_has_it() -> None:
    """RFC 7541 appendix A knows seven statuses."""
    assert encode_status(200) == b"\x88"
    assert encode_status(301) == b"\x08\x03301"


def test_secrets_are_never_indexed() -> None:
    """`set-cookie` is marked so that no table on the way keeps it."""
    assert encode_field(b"set-cookie", b"x")[0] & 0xF0 == 0x10
    assert encode_field(b"etag", b"x")[0] & 0xF0 == 0x00


def test_a_smaller_table_is_acknowledged_once() -> None:
    """The first block, and the first one after the peer has changed its table, begin with a size update."""
    encoder = StatelessEncoder()
    assert [encoder.take_size_update(), encoder.take_size_update()] == [EMPTY_TABLE, b""]
    encoder.header_table_size = 0
    assert [encoder.take_size_update(), encoder.take_size_update()] == [EMPTY_TABLE, b""]


def test_the_date_of_a_remembered_head_moves_on() -> None:
    """Everything is remembered but the date."""
    now = [0.0]
    heads, head = HeadEncoder(DateCache(lambda: now[0])), ResponseHead(200, ((b"etag", b'"x"'),), 3)
    first = heads.encode(head)
    now[0] = 1.0
    second = heads.encode(head)
    assert first != second
    assert dict(hpack.Decoder().decode(second, raw=True))[b"date"] == b"Thu, 01 Jan 1970 00:00:01 GMT"
