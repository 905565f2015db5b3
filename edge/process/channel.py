"""A control channel: whole messages between two of our processes, each with at most one socket beside it.

The pair is `SOCK_SEQPACKET`: the kernel keeps message borders and tells when the other process is gone, so there is no
framing to get wrong. This class owns the socket and nothing else; it never waits. Whoever drives it (the supervisor's
selector, an asyncio loop) calls `receive` when `fileno()` is readable and `flush` when it is writable and `wants_write`.

A worker talks to the whole internet and must be expected to lie one day: a packet that does not decode, is too long, or comes
with a descriptor nobody asked for ends the channel. The end of a channel is a state (`is_open`), never an exception.
"""

from __future__ import annotations

import socket
from collections import deque
from typing import Any, Final, Generic, TypeVar

import msgspec

from edge.errors import EdgeError

MAX_PACKET: Final = 256 * 1024
"""Longest message. A certificate with 100 names takes 20 KiB, a configuration of 1000 sites about 200 KiB."""

SEND_BUFFER: Final = 2 * MAX_PACKET
"""The kernel counts its own overhead in SO_SNDBUF; a packet must fit as a whole."""

MAX_BATCH: Final = 64
"""Packets taken in one call, so that a talkative peer cannot starve the others."""

Inbound = TypeVar("Inbound")
Outbound = TypeVar("Outbound")


class MessageTooLarge(EdgeError):
    """The message does not fit into one packet; nothing was sent."""


def new_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends for two processes, not inherited across exec."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    return ends


def encode(message: object) -> bytes:
    """The packet for a message. Raises: MessageTooLarge."""
    packet = msgspec.json.encode(message)
    if len(packet) > MAX_PACKET:
        raise MessageTooLarge(f"a message of {len(packet)} bytes is over the {MAX_PACKET} that one packet holds")
    return packet


class Channel(Generic[Inbound, Outbound]):
    """One end of a pair. `inbound` is the tagged union of messages that may arrive; `attachments` says whether
    a socket may come with them (the kernel drops it otherwise)."""

    def __init__(self, sock: socket.socket, inbound: Any, *, attachments: bool = False) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._decoder: msgspec.json.Decoder[Inbound] = msgspec.json.Decoder(inbound)
        self._max_attachments = int(attachments)
        # Not bounded: what is queued is a few messages per certificate, and a peer that stops reading gets no more.
        self._queue: deque[tuple[bytes, socket.socket | None]] = deque()
        self.is_open = True

    def __repr__(self) -> str:
        state = "open" if self.is_open else "gone"
        return f"<Channel {state} fd={self._socket.fileno()} queued={len(self._queue)}>"

    def fileno(self) -> int:
        """The descriptor to poll; -1 after `close`."""
        return self._socket.fileno()

    @property
    def wants_write(self) -> bool:
        """Whether messages wait for the socket to become writable."""
        return bool(self._queue)

    def send(self, message: Outbound, attachment: socket.socket | None = None) -> None:
        """Send now or as soon as the peer has room, in order. The channel owns `attachment` and closes it after sending.

        To a peer that is gone nothing is sent: `receive` is where its end is noticed. Raises: MessageTooLarge.
        """
        packet = encode(message)
        self._queue.append((packet, attachment))
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as the peer has room."""
        while self._queue and self.is_open:
            packet, attachment = self._queue[0]
            try:
                socket.send_fds(self._socket, [packet], [attachment.fileno()] if attachment else [])
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._end()
                return
            self._queue.popleft()
            _close(attachment)
        if not self.is_open:
            self._forget_queue()

    def receive(self) -> list[tuple[Inbound, socket.socket | None]]:
        """What has arrived, oldest first, each with the socket that came along (the caller's from now on).

        After calling this look at `is_open`: a peer that is gone may have left messages behind.
        """
        arrived: list[tuple[Inbound, socket.socket | None]] = []
        while self.is_open and len(arrived) < MAX_BATCH:
            try:
                arrived.append(self._receive_one())
            except (BlockingIOError, InterruptedError):
                break
            except (OSError, EOFError, msgspec.MsgspecError):
                self._end()
        return arrived

    def _receive_one(self) -> tuple[Inbound, socket.socket | None]:
        packet, descriptors, flags, _ = socket.recv_fds(self._socket, MAX_PACKET, self._max_attachments)
        attachment = _adopt(descriptors[0]) if descriptors else None
        try:
            if not packet or flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                raise EOFError
            return self._decoder.decode(packet), attachment
        except BaseException:
            _close(attachment)
            raise

    def close(self) -> None:
        """Close the socket and everything that was not sent. Remove it from your poller first."""
        self._end()
        self._socket.close()

    def _end(self) -> None:
        self.is_open = False
        self._forget_queue()

    def _forget_queue(self) -> None:
        for _, attachment in self._queue:
            _close(attachment)
        self._queue.clear()


def _adopt(descriptor: int) -> socket.socket:
    """The socket object for a descriptor that has arrived; like all others it is not inherited across exec."""
    sock = socket.socket(fileno=descriptor)
    sock.set_inheritable(False)
    return sock


def _close(attachment: socket.socket | None) -> None:
    if attachment is not None:
        attachment.close()
