"""After a failed validation: can this host reach itself by the name? The answer only enriches the message.

A token is published like a challenge and fetched over plain HTTP from each address that the name has. What is seen from here
may differ from what the CA sees (a router that does not lead its own network back in looks like a closed port), so it
is told as an observation, never used as a verdict.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Awaitable
from ipaddress import ip_address

from edge.certs.publisher import HTTP01, Publisher
from edge.config.names import is_address
from edge.errors import CertificateError

TIMEOUT = 3.0
"""Seconds for each address, all of them at once."""

MOST_ADDRESSES = 8

LONGEST_REPLY = 4096

HERE = "leads to this edge"
"""The good end of the sentence."""


async def observe(name: str, publisher: Publisher, port: int = 80) -> str:
    """One sentence about each address of `name`, or "" when there is nothing to say (a wildcard, no plain HTTP, no worker)."""
    if name.startswith("*.") or "http-01" not in publisher.challenge_kinds():
        return ""
    token = f"selftest-{secrets.token_urlsafe(16)}"
    answer = HTTP01(name, token, secrets.token_urlsafe(16))
    try:
        await publisher.present(answer)
    except CertificateError:
        return ""
    try:
        addresses = await addresses_of(name)
        seen = await asyncio.gather(*(look(address, port, answer) for address in addresses))
    finally:
        publisher.clean_up(answer)
    if not addresses:
        return f"{name} has no address in DNS as seen from here"
    return "seen from here: " + "; ".join(f"{address} {what}" for address, what in zip(addresses, seen, strict=True))


async def addresses_of(name: str) -> list[str]:
    """IPv4 and IPv6 addresses as this host finds them; [] for none."""
    if is_address(name):
        return [name]
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(TIMEOUT):
            found = await loop.getaddrinfo(name, 80, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError):
        return []
    return list(dict.fromkeys(str(ip_address(entry[4][0])) for entry in found))[:MOST_ADDRESSES]


async def look(address: str, port: int, answer: HTTP01) -> str:
    """What a request for the answer at this address meets, as the end of a sentence; `HERE` when it comes back."""
    return await end_of_sentence(port, answer.key_authorization.encode(), _fetch(address, port, answer))


async def end_of_sentence(port: int, expected: bytes, reply: Awaitable[bytes]) -> str:
    """Await a reply for `TIMEOUT` seconds, and say who gave it: this edge if it contains `expected`."""
    try:
        async with asyncio.timeout(TIMEOUT):
            received = await reply
    except TimeoutError:
        return f"does not answer on port {port}"
    except ConnectionRefusedError:
        return f"refuses connections on port {port}"
    except OSError as exc:
        return f"cannot be reached ({(exc.strerror or 'error').lower()})"
    return HERE if expected in received else "leads to another server"


async def _fetch(address: str, port: int, answer: HTTP01) -> bytes:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        path = f"/.well-known/acme-challenge/{answer.token}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {answer.name}\r\nConnection: close\r\n\r\n".encode())
        reply = b""
        while len(reply) < LONGEST_REPLY and (chunk := await reader.read(LONGEST_REPLY)):
            reply += chunk
        return reply
    finally:
        writer.close()
