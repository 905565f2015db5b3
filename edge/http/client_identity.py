"""Who the client is, when somebody trusted speaks for it: X-Forwarded-*, Forwarded (RFC 7239) and CF-Connecting-IP. Pure.

Every proxy adds the address that it sees, at the right. Read from the right, each address was written by a peer that is known
so far; the walk ends at the first one that is not trusted, because what stands left of it is that stranger's own word:

    X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.0.0.2        peer 10.0.0.1
                     └ a lie   └ the client  └ trusted  ◀── └ trusted

A proxy that writes one of the two notations may let the visitor's own field in the other pass. So if both are there they must
agree, else the request is refused; which of them to believe is nothing to guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final

from msgspec import Struct

from edge.errors import RequestRefused
from edge.http.message import Request
from edge.http.networks import Networks
from edge.http.validation import normalise_authority

FORWARDED_FOR: Final = b"x-forwarded-for"
FORWARDED: Final = b"forwarded"
CLOUDFLARE: Final = b"cf-connecting-ip"

_SCHEMES: Final = frozenset((b"http", b"https"))

_NODE = re.compile(rb"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9.]{7,15}))(?::[0-9]{1,5})?").fullmatch
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,128}").fullmatch
_PAIR = re.compile(
    rb'[\t ]*([!#$%&\'*+\-.^_`|~0-9A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^\t ",;]*)[\t ]*(;|,|$)'  # RFC 7239 §4
).match


class Hop(Struct, frozen=True, gc=False):
    """What one proxy wrote: whom it saw, and what was asked for there. b"" for what it did not say."""

    node: bytes
    scheme: bytes = b""
    host: bytes = b""


class Identity(Struct, frozen=True, gc=False):
    """What is believed. `scheme` and `authority` are b"" and `request_id` is "" where nobody said anything."""

    address: str
    scheme: bytes = b""
    authority: bytes = b""
    request_id: str = ""


def identify(request: Request, peer: str, trusted: Networks, cloudflare: Networks) -> Identity:
    """Who is behind `peer`, a trusted address, and what they asked for.

    Raises: RequestRefused 400 for a scheme, host or Cloudflare address that cannot be one, and for contradictions.
    """
    line, other = request.combined(FORWARDED_FOR), request.combined(FORWARDED)
    hops = forwarded_for_hops(request, line or b"")
    address, hop = walk(hops, peer, trusted)
    if other is not None:
        elsewhere, further = walk(parse_forwarded(other), peer, trusted)
        if line is None:
            address, hop = elsewhere, further
        elif elsewhere != address:
            raise RequestRefused(400, "forwarded-conflict")
    if peer in cloudflare:
        address = _cloudflare_address(request) or address
    return Identity(address, _scheme(hop.scheme), _authority(hop, request), _request_id(request))


def forwarded_for_hops(request: Request, line: bytes) -> list[Hop]:
    """X-Forwarded-For and its companions. Scheme and host have one value for all hops, or one for each, aligned at the right."""
    nodes = [member.strip(b" \t") for member in line.split(b",")] if line else [b""]
    schemes, hosts = (_members(request, name) for name in (b"x-forwarded-proto", b"x-forwarded-host"))
    count = len(nodes)
    return [
        Hop(node, _aligned(schemes, count - index).lower(), _aligned(hosts, count - index))
        for index, node in enumerate(nodes)
    ]


def _members(request: Request, name: bytes) -> list[bytes]:
    value = request.combined(name)
    return [] if value is None else [member.strip(b" \t") for member in value.split(b",")]


def _aligned(values: list[bytes], from_right: int) -> bytes:
    return values[-min(from_right, len(values))] if values else b""


def parse_forwarded(value: bytes) -> list[Hop]:
    """The elements of a Forwarded field, in order. What breaks the grammar ends the list at its left (RFC 7239 §4)."""
    hops: list[Hop] = []
    for element in _elements(value):
        if element is None:
            hops.clear()
        else:
            hops.append(Hop(element.get(b"for", b""), element.get(b"proto", b"").lower(), element.get(b"host", b"")))
    return hops


def _elements(value: bytes) -> Iterator[dict[bytes, bytes] | None]:
    """Pairs of each element; None where the rest of an element could not be read."""
    place, pairs = 0, dict[bytes, bytes]()
    while place <= len(value):
        match = _PAIR(value, place)
        if match is None:
            yield None
            comma = value.find(b",", place)
            if comma < 0:
                return
            place, pairs = comma + 1, {}
            continue
        pairs.setdefault(match.group(1).lower(), _unquoted(match.group(2)))
        place = match.end()
        if match.group(3) != b";":
            yield pairs
            pairs = {}
            if match.group(3) == b"":
                return


def _unquoted(text: bytes) -> bytes:
    return re.sub(rb"\\(.)", rb"\1", text[1:-1]) if text.startswith(b'"') else text


def walk(hops: list[Hop], peer: str, trusted: Networks) -> tuple[str, Hop]:
    """The first address from the right that is not trusted, and what the proxy that saw it wrote.

    What is no address (`unknown`, an obfuscated name) ends the walk at whoever wrote it.
    """
    address, found = peer, hops[-1] if hops else Hop(b"")
    for hop in reversed(hops):
        node = parse_node(hop.node)
        if node is None:
            break
        address, found = node, hop
        if node not in trusted:
            break
    return address, found


@lru_cache(4096)
def parse_node(text: bytes) -> str | None:
    """The address in `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`; an IPv4-mapped one as IPv4."""
    match = _NODE(text)
    bare = (match.group(1) or match.group(2)) if match else text
    if len(bare) > 45 or b"%" in bare:
        return None
    try:
        address = ip_address(bare.decode("ascii"))
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address)


def _cloudflare_address(request: Request) -> str | None:
    value = request.combined(CLOUDFLARE)
    if value is None:
        return None
    address = parse_node(value)
    if address is None:
        raise RequestRefused(400, "forwarded-address")
    return address


def _scheme(value: bytes) -> bytes:
    if value and value not in _SCHEMES:
        raise RequestRefused(400, "forwarded-scheme")
    return value


def _authority(hop: Hop, request: Request) -> bytes:
    """Normalised for the scheme that counts, so that `:443` goes away where HTTPS ended at the proxy."""
    if not hop.host and not hop.scheme:
        return b""
    return normalise_authority(hop.host or request.authority, _scheme(hop.scheme) or request.scheme)


def _request_id(request: Request) -> str:
    value = request.field(b"x-request-id")
    return value.decode("ascii") if value is not None and _REQUEST_ID(value) else ""
