"""The PROXY protocol, versions 1 and 2: what a load balancer writes in front of a connection's bytes to say whose they are. Pure.

    version 1    PROXY TCP4 203.0.113.9 192.0.2.1 40000 443\\r\\n
    version 2    12 bytes of signature, version and command, family, length, addresses, extensions

`LOCAL` and `UNKNOWN` mean that the balancer speaks for itself (a health check). Extensions are skipped.

Source: https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, §2.1 and §2.2.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from msgspec import Struct

from edge.errors import EdgeError

SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"

MAX_LINE: Final = 107
"""Bytes of a version 1 header (§2.1: the longest one possible)."""

MAX_HEADER: Final = 2048
"""Bytes of a version 2 header; balancers send some hundred, with a client certificate's name at most."""

_FIXED: Final = 16
"""Bytes of a version 2 header before its addresses."""

_ADDRESSES: Final = {0x11: 4, 0x21: 16}
"""TCP over IPv4 and IPv6: bytes of one address."""

_UNSPOKEN: Final = frozenset((0x00, 0x12, 0x22, 0x31, 0x32))
"""UNSPEC, datagrams and unix sockets: nothing that a visitor over TCP has."""

_LINE = re.compile(rb"PROXY (TCP[46]) ([0-9A-Fa-f:.]{2,39}) ([0-9A-Fa-f:.]{2,39}) ([0-9]{1,5}) ([0-9]{1,5})").fullmatch


class IncompleteError(EdgeError):
    """More bytes are needed."""


class MalformedError(EdgeError):
    """This is no PROXY header."""


class Announcement(Struct, frozen=True):
    """`length` bytes of header. `address` is numeric (IPv4-mapped as IPv4), "" when the balancer speaks for itself."""

    length: int
    address: str = ""
    port: int = 0


def parse_header(data: bytes) -> Announcement:
    """The header that `data` begins with. Raises: IncompleteError, MalformedError."""
    if data.startswith(SIGNATURE):
        return _parse_binary(data)
    if data[:6] == b"PROXY ":
        return _parse_line(data)
    if data and (SIGNATURE.startswith(data) or b"PROXY ".startswith(data)):
        raise IncompleteError("the header has only begun")
    if not data:
        raise IncompleteError("nothing has come")
    raise MalformedError("neither version begins like this")


def _parse_line(data: bytes) -> Announcement:
    line, end, _ = data[:MAX_LINE].partition(b"\r\n")
    if not end:
        if len(data) >= MAX_LINE:
            raise MalformedError("the line does not end")
        raise IncompleteError("the line has not ended")
    length = len(line) + 2
    if line == b"PROXY UNKNOWN" or line.startswith(b"PROXY UNKNOWN "):
        return Announcement(length)
    match = _LINE(line)
    if match is None:
        raise MalformedError("the line is no announcement")
    family = IPv4Address if match.group(1) == b"TCP4" else IPv6Address
    try:
        source, _destination = (family(match.group(number).decode("ascii")) for number in (2, 3))
    except ValueError:
        raise MalformedError("the line holds no addresses of its family") from None
    ports = [int(match.group(number)) for number in (4, 5)]
    if max(ports) > 65535 or any(match.group(n)[:1] == b"0" and len(match.group(n)) > 1 for n in (4, 5)):
        raise MalformedError("the line holds no ports")
    return Announcement(length, _text(source), ports[0])


def _parse_binary(data: bytes) -> Announcement:
    if len(data) < _FIXED:
        raise IncompleteError("the header has only begun")
    command, family, size = data[12], data[13], int.from_bytes(data[14:16], "big")
    if command not in (0x20, 0x21):
        raise MalformedError("the version or command is not known")
    length = _FIXED + size
    if length > MAX_HEADER:
        raise MalformedError("the header is too long")
    if len(data) < length:
        raise IncompleteError("the header has not ended")
    if command == 0x20 or family in _UNSPOKEN:
        return Announcement(length)
    width = _ADDRESSES.get(family)
    if width is None or size < 2 * width + 4:
        raise MalformedError("the addresses are missing or of an unknown kind")
    port = _FIXED + 2 * width
    source = ip_address(data[_FIXED : _FIXED + width])
    return Announcement(length, _text(source), int.from_bytes(data[port : port + 2], "big"))


def _text(address: IPv4Address | IPv6Address) -> str:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
