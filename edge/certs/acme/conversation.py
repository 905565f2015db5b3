"""The requests of one attempt, asynchronous, patient with a CA that stumbles.

Requests run one after the other (a `Network` belongs to one thread at a time), each beside the event loop. What may be asked
twice is asked again after transport failures; refusals are never repeated.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from josepy.interfaces import JSONDeSerializable
from josepy.jwa import ES256, RS256
from josepy.jwk import JWK, JWKRSA

from edge.certs.acme.limits import Limits
from edge.certs.acme.network import Network, Reply
from edge.certs.acme.polling import own_waits, wait_for
from edge.certs.acme.resources import Directory, read_directory
from edge.certs.acme.threads import call
from edge.certs.issuer import ErrorClass, IssueFailed
from edge.telemetry.logs import get_logger

T = TypeVar("T")

log = get_logger("certs")

WORST_SKEW = 300.0
"""Seconds between the CA's clock and ours that deserve a warning: renewal windows of short certificates are hours wide."""


class Conversation:
    """Signed and unsigned requests to one CA. `directory` is there after `start`."""

    directory: Directory

    def __init__(
        self,
        network: Network,
        limits: Limits,
        *,
        wall_clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.limits = limits
        self.skew = 0.0
        self.account_url = ""
        self._network = network
        self._wall_clock = wall_clock
        self._sleep = sleep
        self._turn = asyncio.Lock()
        self._randomness = random.Random()  # noqa: S311  # spreads requests over time, hides nothing

    async def start(self, directory_url: str) -> None:
        """Read the CA's directory; nothing else can be asked before. Raises: IssueFailed."""
        reply = await self.get("account", directory_url)
        self.directory = read_directory(reply)
        self.skew = reply.skew
        if abs(self.skew) > WORST_SKEW:
            log.warning("clock differs from the CA's", ahead_seconds=round(-self.skew), directory=directory_url)

    def sign_with(self, key: JWK, account_url: str) -> None:
        """Sign from now on with this account; without a URL the key itself is sent along, as newAccount needs it."""
        self._network.key = key
        self._network.alg = RS256 if isinstance(key, JWKRSA) else ES256  # RFC 7518 §3.1
        self._network.use_account(account_url)
        self.account_url = account_url

    async def get(self, phase: str, url: str) -> Reply:
        """An unsigned GET. Raises: IssueFailed."""
        return await self._patiently(lambda: self._network.fetch(phase, url))

    async def post(
        self, phase: str, url: str, message: JSONDeSerializable | None, *, accept: str = "", repeatable: bool = True
    ) -> Reply:
        """A signed POST; None as message is POST-as-GET. With `repeatable=False` it is sent once. Raises: IssueFailed."""

        def request() -> Reply:
            return self._network.signed_post(phase, url, message, new_nonce=self.directory.new_nonce, accept=accept)

        return await (self._patiently(request) if repeatable else self._in_turn(request))

    async def read(self, phase: str, url: str, shape: type[T]) -> T:
        """The present state of an order or authorization. Raises: IssueFailed."""
        return (await self.post(phase, url, None)).decode(shape, phase)

    async def poll(self, phase: str, url: str, shape: type[T], is_final: Callable[[T], bool]) -> T:
        """Look until `is_final`; the caller sets the deadline. Raises: IssueFailed."""
        retry_after: float | None = None
        for own in own_waits(self._randomness):
            await self._sleep(wait_for(own, retry_after, self._wall_clock()))
            reply = await self.post(phase, url, None)
            state = reply.decode(shape, phase)
            if is_final(state):
                return state
            retry_after = reply.retry_after
        raise AssertionError("own_waits has no end")

    async def _patiently(self, request: Callable[[], Reply]) -> Reply:
        for wait in self.limits.retries:
            try:
                return await self._in_turn(request)
            except IssueFailed as exc:
                if exc.error_class is not ErrorClass.TRANSPORT:
                    raise
                log.debug("asking the CA again", phase=exc.phase, cause=exc.detail, wait_seconds=wait)
            await self._sleep(wait)
        return await self._in_turn(request)

    async def _in_turn(self, request: Callable[[], Reply]) -> Reply:
        async with self._turn:
            return await call(request)
