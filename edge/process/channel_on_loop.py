"""A control channel driven by an asyncio loop, for keeper and workers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Generic

from edge.process.channel import Channel, Inbound, MessageTooLarge, Outbound
from edge.telemetry.logs import get_logger

log = get_logger("process")


class ChannelOnLoop(Generic[Inbound, Outbound]):
    """Calls `received(message, attachment)` for each message and `gone()` once, after the last of them."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        channel: Channel[Inbound, Outbound],
        received: Callable[[Inbound, socket.socket | None], None],
        gone: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._channel = channel
        self._received = received
        self._gone = gone
        loop.add_reader(channel.fileno(), self._readable)

    def send(self, message: Outbound, attachment: socket.socket | None = None) -> None:
        """See `Channel.send`; nothing happens after `close`. Raises: MessageTooLarge."""
        self._channel.send(message, attachment)
        if self._channel.wants_write:
            self._loop.add_writer(self._channel.fileno(), self._writable)

    def close(self) -> None:
        """Neither callback is called any more. Calling it twice is harmless."""
        descriptor = self._channel.fileno()
        if descriptor >= 0:
            self._loop.remove_reader(descriptor)
            self._loop.remove_writer(descriptor)
            self._channel.close()

    def _readable(self) -> None:
        for message, attachment in self._channel.receive():
            if self._channel.fileno() >= 0:
                self._handle(message, attachment)
            elif attachment is not None:  # closed by what an earlier message of this batch asked for
                attachment.close()
        if not self._channel.is_open and self._channel.fileno() >= 0:
            self.close()
            self._gone()

    def _handle(self, message: Inbound, attachment: socket.socket | None) -> None:
        try:
            self._received(message, attachment)
        except Exception:  # one message that cannot be handled must not take those behind it along
            log.exception("message failed", message=type(message).__name__)

    def _writable(self) -> None:
        try:
            self._channel.flush()
        except MessageTooLarge as problem:
            log.error("message not sent", problem=str(problem))
        if not self._channel.wants_write:
            self._loop.remove_writer(self._channel.fileno())
