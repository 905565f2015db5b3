"""A UDP or TCP service that is neither a visitor's listener nor an origin: a name server, a mail server."""

from __future__ import annotations

import ipaddress
import re

from msgspec import Struct

from edge.config.names import is_address

DNS_PORT = 53

_PORT = re.compile(r"[0-9]{1,5}").fullmatch
_HOST = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z][A-Za-z0-9-]*").fullmatch


class Endpoint(Struct, frozen=True):
    """An address (or, where that is allowed, a host name) and a port."""

    host: str
    port: int = DNS_PORT

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_name_server(text: str) -> Endpoint:
    """`192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`. Raises: ValueError with one sentence."""
    endpoint = _parse(text)
    if endpoint is None or not is_address(endpoint.host):
        raise ValueError(
            f"{text!r}: write a numeric address, with a port unless it is 53, like 192.0.2.1 or [::1]:5353"
        )
    return endpoint


def parse_update_server(text: str) -> Endpoint:
    """Like `parse_name_server`, or a host name in place of the address. Raises: ValueError with one sentence."""
    endpoint = parse_endpoint(text, DNS_PORT)
    if endpoint is None:
        raise ValueError(f"{text!r}: write the name server that takes updates, like ns1.example.com or 192.0.2.1:5353")
    return endpoint


def parse_endpoint(text: str, port: int) -> Endpoint | None:
    """An address or host name, with a port unless it is `port`; None for anything else."""
    endpoint = _parse(text, port)
    if endpoint is None or not (is_address(endpoint.host) or (len(endpoint.host) <= 253 and _HOST(endpoint.host))):
        return None
    return endpoint


def _parse(text: str, usual: int = DNS_PORT) -> Endpoint | None:
    if is_address(text):
        return Endpoint(str(ipaddress.ip_address(text)), usual)
    host, _, port = text.rpartition(":")
    if not host:
        return Endpoint(text, usual) if text else None
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not _PORT(port) or not 0 < int(port) < 65536:
        return None
    return Endpoint(str(ipaddress.ip_address(host)) if is_address(host) else host, int(port))
