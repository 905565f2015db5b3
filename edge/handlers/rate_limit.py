"""A limit on how often one client may ask; see `edge.handlers.rate_table` for how workers share it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from edge.config.schema import Rate
from edge.errors import RequestRefused
from edge.handlers.rate_table import RateTable
from edge.http.exchange import Exchange, Handler
from edge.http.networks import client_key

MEMO_CLIENTS: Final = 4096
"""Addresses whose key is remembered."""


class RateLimit:
    """A handler in front of another. `name` tells this limit from others in the table; `clock` is the machine's monotonic one."""

    def __init__(
        self, rate: Rate, name: str, table: RateTable, handler: Handler, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._name = name.encode()
        self._table = table
        self._handler = handler
        self._clock = clock
        self._keys: dict[str, bytes] = {}

    def __call__(self, exchange: Exchange) -> None:
        """Hand on. Raises: RequestRefused 429 with the time after which it is worth trying again (RFC 6585 §4)."""
        address = exchange.peer.address
        key = self._keys.get(address) or self._remember(address)
        wait = self._table.wait(key, self._rate, self._clock())
        if wait:
            raise RequestRefused(429, "rate-exceeded", retry_after=math.ceil(wait))
        self._handler(exchange)

    def _remember(self, address: str) -> bytes:
        if len(self._keys) >= MEMO_CLIENTS:
            self._keys.clear()
        key = self._keys[address] = client_key(address) + b"\0" + self._name
        return key
