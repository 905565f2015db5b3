"""The uwsgi protocol as its receiver reads it; written from the protocol's description, not from our writer."""

from __future__ import annotations

import struct

HEADER = 4
"""Bytes of modifier1, size and modifier2."""


def size_behind(header: bytes) -> int:
    """How many bytes of variables follow a packet's first HEADER bytes."""
    modifier1, size, modifier2 = struct.unpack("<BHB", header)
    assert (modifier1, modifier2) == (0, 0), "no WSGI request"
    return int(size)


def read_variables(block: bytes) -> dict[str, bytes]:
    """The variables; each may come once, since receivers disagree about which of two counts."""
    found: dict[str, bytes] = {}
    while block:
        name, block = _take(block)
        value, block = _take(block)
        assert name
        assert name.decode("ascii") not in found
        found[name.decode("ascii")] = value
    return found


def read_packet(packet: bytes) -> dict[str, bytes]:
    """The variables of a whole packet without a body."""
    assert len(packet) == HEADER + size_behind(packet[:HEADER])
    return read_variables(packet[HEADER:])


def _take(block: bytes) -> tuple[bytes, bytes]:
    (size,) = struct.unpack("<H", block[:2])
    assert len(block) >= 2 + size
    return block[2 : 2 + size], block[2 + size :]
