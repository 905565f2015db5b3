"""Networks as operators write them: ranges, single addresses, and words for sets that nobody knows by heart.

A value of `parse_networks` is canonical CIDR text. The word `cloudflare` stands for the list in `ranges/cloudflare.txt`, or for
the operator's newer copy of it in the storage directory.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Final

PRIVATE: Final = (
    "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1/128", "fc00::/7", "fe80::/10",
)  # fmt: skip
"""Loopback, RFC 1918, link-local (RFC 3927, RFC 4291 §2.5.6) and unique local addresses (RFC 4193)."""

SHIPPED: Final = Path(__file__).parent / "ranges"
PROVIDERS: Final = ("cloudflare",)
"""Words with a list of their own."""

MAX_LIST: Final = 64 * 1024
"""Bytes of a list; Cloudflare's has 400."""


def parse_networks(text: str) -> tuple[str, ...]:
    """`10.0.0.0/8`, `192.0.2.1`, `2001:db8::/32`, or `private`. Raises: ValueError with one sentence."""
    return PRIVATE if text == "private" else (_parse_range(text),)


def parse_trusted(text: str, storage: str) -> tuple[str, ...]:
    """What `parse_networks` takes, and the words in `PROVIDERS`. Raises: ValueError with one sentence."""
    return _read_list(text, storage) if text in PROVIDERS else parse_networks(text)


def _parse_range(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(_complaint(text)) from None
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped:
        raise ValueError(f"{text!r}: write the IPv4 network itself")
    return str(network)


def _complaint(text: str) -> str:
    try:
        wider = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return f"{text!r} is no network; write one like 10.0.0.0/8, an address, or private"
    return f"{text!r} has bits behind its mask; did you mean {wider} ?"


def _read_list(word: str, storage: str) -> tuple[str, ...]:
    """The networks of a provider; a broken list is refused whole, because half a list locks visitors out."""
    own = Path(storage, "ranges", f"{word}.txt")
    path = own if own.is_file() else SHIPPED / f"{word}.txt"
    try:
        with path.open("rb") as file:
            lines = file.read(MAX_LIST).decode("ascii").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the list {str(path)!r} cannot be read: {error}") from error
    networks = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not networks:
        raise ValueError(f"the list {str(path)!r} is empty")
    try:
        return tuple(_parse_range(each) for each in networks)
    except ValueError as error:
        raise ValueError(f"the list {str(path)!r}: {error}") from error
