"""A control channel: whole messages between two of our processes, each with at most one socket beside it.

The pair is `SOCK_SEQPACKET`: the kernel keeps packet borders and tells when the other process is gone. A packet is one byte
that says whether more of the same message follows, then a piece of its JSON; nearly every message is one packet, and only
a configuration of thousands of sites takes more. This class owns the socket and nothing else; it never waits. Whoever drives it
(the supervisor's selector, an asyncio loop) calls `receive` when `fileno()` is readable and `flush` when it is writable and
`wants_write`.

Messages that wait for a slow reader wait as the values they are and become bytes when their turn comes, so a snapshot of
10,000 certificates for several workers costs references, not copies.

A worker talks to the whole internet and must be expected to lie one day: a packet that does not decode, a message that is too
long, or a descriptor nobody asked for ends the channel. The end of a channel is a state (`is_open`), never an exception.
"""

from __future__ import annotations

import socket
from collections import deque
from typing import Any, Final, Generic, TypeVar

import msgspec

from edge.errors import EdgeError

MAX_PACKET: Final = 64 * 1024
"""Longest packet. A certificate with 100 names takes 20 KiB. Larger ones would not fit the send buffer of every system."""

MAX_MESSAGE: Final = 32 * 1024 * 1024
"""Longest message, in as many packets as it takes: a configuration of 10,000 sites is about 3 MiB, and the largest
`edge.toml` that is read (8 MiB) stays below this even when defaults spelt out double it."""

SEND_BUFFER: Final = 512 * 1024
"""Several packets, so that a receiver always finds the next one. The kernel counts its own overhead in SO_SNDBUF."""

MAX_BATCH: Final = 64
"""Packets taken in one call, so that a talkative peer cannot starve the others."""

_MORE: Final = b"+"
_LAST: Final = b"."

Inbound = TypeVar("Inbound")
Outbound = TypeVar("Outbound")


class MessageTooLarge(EdgeError):
    """The message is longer than any receiver takes; nothing of it was sent."""


def new_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends for two processes, not inherited across exec."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    return ends


def encode(message: object) -> list[bytes]:
    """The packets of a message. Raises: MessageTooLarge."""
    data = msgspec.json.encode(message)
    if len(data) > MAX_MESSAGE:
        raise MessageTooLarge(
            f"a message of {len(data)} bytes is over the {MAX_MESSAGE} that processes tell each other"
        )
    room = MAX_PACKET - 1
    pieces = [data[start : start + room] for start in range(0, len(data), room)]
    return [*(_MORE + piece for piece in pieces[:-1]), _LAST + pieces[-1]]


class Channel(Generic[Inbound, Outbound]):
    """One end of a pair. `inbound` is the tagged union of messages that may arrive, `max_message` the longest of them in
    bytes; `attachments` says whether a socket may come with them (the kernel drops it otherwise)."""

    def __init__(
        self, sock: socket.socket, inbound: Any, *, attachments: bool = False, max_message: int = MAX_MESSAGE
    ) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._decoder: msgspec.json.Decoder[Inbound] = msgspec.json.Decoder(inbound)
        self._max_attachments = int(attachments)
        self._max_message = max_message
        # Not bounded: what is queued is a few messages per certificate, and a peer that stops reading gets no more.
        self._queue: deque[tuple[Outbound, socket.socket | None]] = deque()
        self._packets: list[bytes] = []
        """Of the first message in the queue, the next one last; empty before its turn."""
        self._received = bytearray()
        """The message that is arriving."""
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

        To a peer that is gone nothing is sent: `receive` is where its end is noticed. Raises: MessageTooLarge, for this
        message or one before it that had to wait; those behind it are not affected.
        """
        self._queue.append((message, attachment))
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as the peer has room. Raises: MessageTooLarge, as `send`."""
        while self._queue and self.is_open:
            if not self._packets:
                self._begin_message()
            try:
                self._send_packet()
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._end()
        if not self.is_open:
            self._forget_queue()

    def _begin_message(self) -> None:
        message, attachment = self._queue[0]
        try:
            self._packets = encode(message)[::-1]
        except MessageTooLarge:
            self._queue.popleft()
            _close(attachment)
            raise

    def _send_packet(self) -> None:
        """The next packet of the first message; its socket goes with the last one."""
        attachment = self._queue[0][1] if len(self._packets) == 1 else None
        socket.send_fds(self._socket, [self._packets[-1]], [attachment.fileno()] if attachment else [])
        self._packets.pop()
        if not self._packets:
            self._queue.popleft()
            _close(attachment)

    def receive(self) -> list[tuple[Inbound, socket.socket | None]]:
        """What has arrived, oldest first, each with the socket that came along (the caller's from now on).

        After calling this look at `is_open`: a peer that is gone may have left messages behind.
        """
        arrived: list[tuple[Inbound, socket.socket | None]] = []
        for _ in range(MAX_BATCH):
            if not self.is_open:
                break
            try:
                arrived += self._receive_packet()
            except (BlockingIOError, InterruptedError):
                break
            except (OSError, EOFError, msgspec.MsgspecError):
                self._end()
        return arrived

    def _receive_packet(self) -> list[tuple[Inbound, socket.socket | None]]:
        """The message that this packet ends, if it ends one."""
        packet, descriptors, flags, _ = socket.recv_fds(self._socket, MAX_PACKET, self._max_attachments)
        attachment = _adopt(descriptors[0]) if descriptors else None
        try:
            if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                raise EOFError
            message = self._joined(packet, is_alone=attachment is None)
            return [] if message is None else [(self._decoder.decode(message), attachment)]
        except BaseException:
            _close(attachment)
            raise

    def _joined(self, packet: bytes, *, is_alone: bool) -> bytes | bytearray | None:
        """The whole message, or None when more of it must come. Raises: EOFError for anything but a packet of ours."""
        marker = packet[:1]
        if marker == _LAST and not self._received:
            return packet[1:]
        self._received += packet[1:]
        if len(self._received) > self._max_message:
            raise EOFError
        if marker == _LAST:
            message, self._received = self._received, bytearray()
            return message
        if marker != _MORE or len(packet) == 1 or not is_alone:
            raise EOFError
        return None

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
        self._packets.clear()


def _adopt(descriptor: int) -> socket.socket:
    """The socket object for a descriptor that has arrived; like all others it is not inherited across exec."""
    sock = socket.socket(fileno=descriptor)
    sock.set_inheritable(False)
    return sock


def _close(attachment: socket.socket | None) -> None:
    if attachment is not None:
        attachment.close()
