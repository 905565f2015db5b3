"""A connection to an origin that speaks uWSGI's protocol: another way to write a request, the same way to read its response.

It carries one request. The origin closes behind its answer, and nothing else marks the end of one that announces no length.
There are no tunnels: the protocol has no handshake, and uWSGI's WebSockets are for its own HTTP router.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Final

from edge.errors import RequestRefused
from edge.http.message import Fields
from edge.net.deadlines import Deadlines
from edge.telemetry.logs import get_logger
from edge.upstream import failures
from edge.upstream.connection import OriginConnection
from edge.upstream.listeners import ResponseReceiver
from edge.upstream.pool import IdlePool
from edge.wire.uwsgi import format_uwsgi_packet

USUAL_BUFFER: Final = 4096
"""Bytes of a packet that uWSGI takes unless `buffer-size` says otherwise. A larger one makes it close without a word."""

log = get_logger("upstream")


class UwsgiConnection(OriginConnection):
    """See `OriginConnection`. What cannot be said in a packet fails without a byte having been sent."""

    __slots__ = ("_packet_size",)

    def __init__(self, pool: IdlePool[OriginConnection], deadlines: Deadlines, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(pool, deadlines, loop)
        self._single_use = True
        self._packet_size = 0

    def _format_head(self, method: bytes, target: bytes, fields: Fields, content_length: int) -> bytes:
        packet = format_uwsgi_packet(method, target, fields, content_length)
        self._packet_size = len(packet)
        return packet

    def send_request(
        self,
        receiver: ResponseReceiver,
        method: bytes,
        target: bytes,
        fields: Fields,
        content_length: int,
        *,
        body: bytes = b"",
    ) -> bool:
        """See `OriginConnection`. A request that does not fit into a packet fails soon."""
        try:
            return super().send_request(receiver, method, target, fields, content_length, body=body)
        except RequestRefused as error:
            return self._refuse(receiver, error.reason)

    def send_handshake(self, receiver: ResponseReceiver, target: bytes, fields: Fields, accept: bytes) -> bool:
        """Always in vain."""
        return self._refuse(receiver, failures.NO_WEBSOCKET)

    def _refuse(self, receiver: ResponseReceiver, word: str) -> bool:
        """Fail, but not inside the caller's own work."""
        self._receiver = receiver
        self._loop.call_soon(self._fail, word)
        return False

    def _fail(self, word: str) -> None:
        if word in (failures.NEVER_ANSWERED, failures.RESET):
            self._suspect_buffer()
        super()._fail(word)

    def stream_lost(self, reason: str) -> None:
        """See `OriginConnection`."""
        if self._receiver:
            self._suspect_buffer()
        super().stream_lost(reason)

    def _suspect_buffer(self) -> None:
        if not self._heard and self._packet_size > USUAL_BUFFER:
            _advise_larger_buffer()


@cache
def _advise_larger_buffer() -> None:
    """Once in the life of a worker: visitors choose the size of their heads, and must not fill the log."""
    log.warning(
        "no answer to a request with a large head, as if it did not fit into uWSGI's buffer",
        larger_than=USUAL_BUFFER,
        fix="buffer-size = 65535 in the configuration of uWSGI",
    )
