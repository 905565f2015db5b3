"""The reverse proxy: a site's requests, written anew, to one of its origins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from edge.errors import RequestRefused
from edge.handlers.maintenance import MaintenanceSwitch
from edge.handlers.message_stream import MessageStreamExchange, is_message_stream
from edge.handlers.proxy_exchange import ProxyExchange
from edge.handlers.tunnel import TunnelExchange
from edge.http.exchange import Exchange
from edge.http.forwarding import FILE_FIELDS, Verdicts, reaches_visitor
from edge.http.limits import FIRST_BYTE_TIMEOUT
from edge.http.message import Fields
from edge.telemetry.logs import get_logger
from edge.upstream.upstream import Upstream

log = get_logger("proxy")


def _judge_and_tell(name: bytes) -> bool:
    # Judged once per name and process, hence told once.
    if name in FILE_FIELDS:
        log.debug("the application names a file to send; edge does not, and removes the field", field=name.decode())
    return reaches_visitor(name)


class Proxy:
    """The handler of a site with an upstream.

    `max_body` is in bytes, `first_byte_timeout` in seconds; `spool_directory` None is the system's own. `response_fields`
    judges which fields of a response go on; by default that is `reaches_visitor`. `health` is the path that is answered
    during `maintenance` too.
    """

    def __init__(
        self,
        upstream: Upstream,
        max_body: int,
        loop: asyncio.AbstractEventLoop,
        spool_directory: str | None = None,
        *,
        first_byte_timeout: float = FIRST_BYTE_TIMEOUT,
        response_fields: Callable[[bytes], bool] = _judge_and_tell,
        maintenance: MaintenanceSwitch | None = None,
        health: str = "",
    ) -> None:
        self.upstream: Final = upstream
        self.max_body: Final = max_body
        self.loop: Final = loop
        self.spool_directory: Final = spool_directory
        self.first_byte_timeout: Final = first_byte_timeout
        self.response_fields: Final = Verdicts(response_fields)
        self._maintenance: Final = maintenance or MaintenanceSwitch()
        self._health: Final = health.partition("?")[0].encode("ascii")

    def __repr__(self) -> str:
        return f"<Proxy {self.upstream!r}>"

    def visible(self, fields: Fields) -> Fields:
        """What a visitor sees of an interim response's fields."""
        return tuple(line for line in fields if self.response_fields[line[0]])

    def __call__(self, exchange: Exchange) -> None:
        """Forward the request, or open a tunnel; the response comes later.

        Raises: RequestRefused 413 for a body announced too large.
        """
        if self._maintenance.is_on and self._maintenance.stops(exchange.request.target, self._health):
            self._maintenance.respond(exchange)
            return
        length = exchange.request.content_length
        if exchange.request.upgrade:
            TunnelExchange(exchange, self).claim()
            return
        if length == 0:
            ProxyExchange(exchange, self).claim()
            return
        if length is not None and length > self.max_body:
            raise RequestRefused(413, "body-too-large")
        if self.upstream.carries_streams and is_message_stream(exchange.request):
            MessageStreamExchange(exchange, self).begin()
            return
        ProxyExchange(exchange, self).gather()
