"""Policies by their words in `edge.toml`: the balancer of each, and what it wants to know about a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from edge.config.schema import Balancing
from edge.http.exchange import Exchange
from edge.upstream.balancer import Balancer, LeastConnections, RendezvousHash, RoundRobin, Sticky

STICKY_COOKIE: Final = b"edge_origin"
"""Name of the cookie that remembers a visitor's origin."""

STICKY_LINE: Final = b"%b=%b; Path=/; HttpOnly; SameSite=Lax"
"""A session cookie (RFC 6265 §4.1.2): it lives as long as what an application keeps in memory is worth anything."""

_BALANCERS: Final[dict[str, Callable[[], Balancer]]] = {
    "round_robin": RoundRobin,
    "least_connections": LeastConnections,
    "hash_client": RendezvousHash,
    "hash_header": RendezvousHash,
    "sticky_cookie": Sticky,
}


def new_balancer(policy: str) -> Balancer:
    """The balancer of a policy, without any history."""
    return _BALANCERS[policy]()


def new_key_reader(balancing: Balancing) -> Callable[[Exchange], bytes] | None:
    """What reads a request's key; None for policies without keys. A request without one gives b""."""
    header = balancing.header.encode("ascii")
    readers: dict[str, Callable[[Exchange], bytes]] = {
        "hash_client": lambda exchange: exchange.peer.address.encode("ascii"),
        "hash_header": lambda exchange: exchange.request.combined(header) or b"",
        "sticky_cookie": lambda exchange: read_cookie(exchange, STICKY_COOKIE),
    }
    return readers.get(balancing.policy)


def read_cookie(exchange: Exchange, name: bytes) -> bytes:
    """The value of the first cookie called `name`, or b"". Browsers over HTTP/2 send several lines (RFC 9113 §8.2.3)."""
    for field, line in exchange.request.fields:
        if field == b"cookie" and name in line:
            for pair in line.split(b";"):
                key, _, value = pair.strip().partition(b"=")
                if key == name:
                    return value
    return b""


def sticky_line(origin_id: bytes, scheme: bytes) -> bytes:
    """The value of a Set-Cookie field for an origin's id."""
    line = STICKY_LINE % (STICKY_COOKIE, origin_id)
    return line + b"; Secure" if scheme == b"https" else line
