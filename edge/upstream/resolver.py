"""From an origin's address to what `socket.connect` takes.

Numeric addresses and unix sockets need no looking up. Host names (a container's, a service's) are looked up in the background
and kept for a few seconds, so that a replaced container is found soon and a slow name server is asked rarely. When a
look-up fails, or takes too long, the last good answer is used again: a name server that is down should not take the site with
it, whether it refuses or says nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from msgspec import Struct

from edge.config.address import UpstreamAddress
from edge.errors import UpstreamError
from edge.upstream.failures import upstream_error

CACHE_SECONDS: Final = 5.0
"""How long an answer is used. Docker's own name server says 600 s and then changes its mind."""

PATIENCE: Final = 0.5
"""Seconds for a look-up before the last good answer is used. A name server nearby answers within milliseconds; the C library
gives up on one that is silent after ten seconds or more (resolv.conf(5): 5 s, twice, for each server)."""


class Endpoint(Struct, frozen=True):
    """One socket address: `family` and what `connect` takes for it."""

    family: int
    sockaddr: Any


Endpoints: TypeAlias = tuple[Endpoint, ...]
Answer: TypeAlias = Callable[[Endpoints | UpstreamError], None]


def numeric_endpoints(address: UpstreamAddress) -> Endpoints:
    """The one endpoint of a unix socket or numeric address; empty when a name must be looked up."""
    if address.path:
        return (Endpoint(socket.AF_UNIX, address.path),)
    try:
        version = ipaddress.ip_address(address.host).version
    except ValueError:
        return ()
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    return (Endpoint(family, (address.host, address.port)),)


class Resolver:
    """Looks host names up, one look-up per address at a time, however many requests wait for it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._known: dict[UpstreamAddress, tuple[float, Endpoints]] = {}
        self._waiting: dict[UpstreamAddress, list[Answer]] = {}
        self._overdue: set[UpstreamAddress] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def resolve(self, address: UpstreamAddress, answer: Answer) -> None:
        """Call `answer` with at least one endpoint, at once where possible, or with an UpstreamError."""
        numeric = numeric_endpoints(address)
        if numeric:
            answer(numeric)
            return
        known = self._known.get(address)
        if known and (address in self._overdue or self._loop.time() - known[0] < CACHE_SECONDS):
            answer(known[1])
            return
        self._waiting.setdefault(address, []).append(answer)
        if len(self._waiting[address]) == 1:
            task = self._loop.create_task(self._look_up(address))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _look_up(self, address: UpstreamAddress) -> None:
        patience = self._loop.call_later(PATIENCE, self._use_known, address)
        found: Endpoints = ()
        try:
            infos = await self._loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
            found = tuple(Endpoint(family, sockaddr) for family, _, _, _, sockaddr in infos)
        except (OSError, UnicodeError):  # gaierror; a label too long for IDNA
            pass
        finally:
            patience.cancel()
            self._overdue.discard(address)
        if not found and address in self._known:
            found = self._known[address][1]
        if found:  # an old one too: while the name server is down it is asked as rarely as when it is up
            self._known[address] = (self._loop.time(), found)
        self._answer(address, found or upstream_error("name-unknown"))

    def _use_known(self, address: UpstreamAddress) -> None:
        """The name server takes its time: until it has answered, what is known serves."""
        if address in self._known:
            self._overdue.add(address)
            self._answer(address, self._known[address][1])

    def _answer(self, address: UpstreamAddress, answer: Endpoints | UpstreamError) -> None:
        for each in self._waiting.pop(address, ()):
            each(answer)

    def close(self) -> None:
        """Give up look-ups in progress; nobody is called any more."""
        for task in self._tasks:
            task.cancel()
        self._waiting.clear()
