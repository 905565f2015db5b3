"""One HTTP/2 connection to an origin: a byte stream, the engine that speaks over it, and the shares of those who use it.

    opening ──SETTINGS of the origin──▶ open: shares come and go ──GOAWAY, or 60 s without one──▶ closing ──▶ gone

What is written in one turn of the loop leaves in one write. An origin that says nothing while it owes answers is asked by PING;
one that does not answer that, or does not read, loses the connection, and every share on it fails.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final

from edge.http.limits import (
    ORIGIN_IDLE_TIMEOUT,
    ORIGIN_PING_INTERVAL,
    ORIGIN_PING_TIMEOUT,
    SEND_TIMEOUT,
    WRITE_SLICE,
)
from edge.net.deadlines import NEVER, Deadlines
from edge.net.socket_stream import SocketStream
from edge.upstream import failures
from edge.upstream.connection_share import ConnectionShare
from edge.upstream.listeners import NewStream, Opener
from edge.upstream.resolver import Endpoint
from edge.wire.http2_origin import HTTP2OriginEngine, StreamEvent
from edge.wire.origin import OriginEvent, ResponseEnded, ResponseFailed

if TYPE_CHECKING:
    from edge.upstream.share_pool import SharePool

INSPECTION: Final = 5.0
"""Seconds between two looks at a connection that is in use."""


class SharedConnection:
    """Opened by its first share; lives until it is lost. `served` counts completed responses."""

    __slots__ = (
        "_closing",
        "_crowded",
        "_deadlines",
        "_first",
        "_flush_planned",
        "_heard_at",
        "_opener",
        "_pinged_at",
        "_promised",
        "_shares",
        "_stream",
        "_why",
        "deadline",
        "engine",
        "loop",
        "pool",
        "served",
    )

    def __init__(self, pool: SharePool, deadlines: Deadlines, loop: asyncio.AbstractEventLoop) -> None:
        self.pool = pool
        self.loop = loop
        self.engine = HTTP2OriginEngine()
        self.served = 0
        self.deadline = NEVER
        self._deadlines = deadlines
        self._stream: SocketStream | None = None
        self._opener: Opener | None = None
        self._first: ConnectionShare | None = None
        self._shares: dict[int, ConnectionShare] = {}
        self._crowded: set[int] = set()  # streams whose receivers wait to send more
        self._promised = 0  # shares handed out over which nothing has been sent yet
        self._flush_planned = False
        self._heard_at = 0.0
        self._pinged_at = NEVER
        self._closing = False
        self._why = ""

    def __repr__(self) -> str:
        return f"<SharedConnection {len(self._shares)} shares, {self.served} served, {self._stream!r}>"

    def now(self) -> float:
        """Monotonic time."""
        return self.loop.time()

    # -- opening ------------------------------------------------------------------------------------------------------

    def open(
        self, sock: socket.socket, endpoint: Endpoint, opener: Opener, new_stream: NewStream, first: ConnectionShare
    ) -> None:
        """Connect a new non-blocking socket, owned from now on; `opener` gets the first share, or the reason why not."""
        self._opener, self._first = opener, first
        self._promised = 1
        self._stream = new_stream(sock, self, self.loop)
        self._stream.begin_connect(endpoint.sockaddr)

    def stream_opened(self) -> None:
        """Connected. Whether the origin speaks HTTP/2, and how many streams it allows, is known when it has said so."""
        assert self._stream
        self._stream.keep_alive()
        self._deadlines.add(self)
        self._flush()

    def _became_ready(self) -> None:
        if self.engine.room < 1:
            self._give_up("backlog-full")
            return
        opener, first = self._opener, self._first
        self._opener = self._first = None
        self.pool.opened(self)
        self._rest()
        if opener and first:
            opener.connection_opened(first)

    def new_share(self) -> ConnectionShare:
        """For one request; only while there is `room`. It must be used or closed."""
        self._promised += 1
        return ConnectionShare(self)

    @property
    def room(self) -> int:
        """How many shares can be had now."""
        return 0 if self._closing else self.engine.room - self._promised

    @property
    def in_use(self) -> int:
        """How many shares there are."""
        return len(self._shares) + self._promised

    @property
    def looks_alive(self) -> bool:
        """Whether the origin has not closed, as far as the kernel knows; if it has, there is no further share. A system call."""
        if self._stream is None or self._stream.lost or self._closing:
            return False
        try:
            self._closing = not self._stream.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            self._closing = True
        return not self._closing

    # -- called by shares ---------------------------------------------------------------------------------------------

    def began(self, share: ConnectionShare) -> None:
        """A share has opened its stream."""
        if not self._shares:
            self._heard_at = self.now()
            self.deadline = self._heard_at + INSPECTION
        self._promised -= 1
        self._shares[share.stream_id] = share
        self._deadlines.add(share)
        self.flush_soon()

    def ended(self, share: ConnectionShare) -> None:
        """A share has told its receiver the end of a response."""
        self.served += 1
        self._deadlines.discard(share)

    def gave_up(self, share: ConnectionShare) -> None:
        """A share is over before its response, or was never used. Called again for one that is over: nothing happens."""
        self._deadlines.discard(share)
        if share is self._first:
            self._opener = self._first = None
            self._give_up("aborted")
        elif not share.stream_id:
            share.stream_id = -1
            self._promised -= 1
            self._has_room()
        elif self._shares.pop(share.stream_id, None):
            self.engine.reset(share.stream_id)
            self.flush_soon()
            self._has_room()

    def note_crowded(self, share: ConnectionShare) -> None:
        """The share wants to hear when its stream has drained."""
        self._crowded.add(share.stream_id)

    def _has_room(self) -> None:
        if not self.in_use:
            self._rest()
        self.pool.has_room(self)

    def _rest(self) -> None:
        """Nobody uses the connection now: close it, or keep it for a while."""
        if self._closing or self.engine.is_leaving:
            self._close_soon()
        else:
            self.deadline = self.now() + ORIGIN_IDLE_TIMEOUT

    # -- bytes --------------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        engine, now = self.engine, self.now()
        self._heard_at = now
        self._pinged_at = NEVER
        events = engine.receive_data(data, now)
        if self._first and engine.is_ready and not engine.failure:
            self._became_ready()
        self._tell(events, now)
        if engine.failure:
            self._fail()
        else:
            self._flush()
            self._regulate_reading()

    def _tell(self, events: list[StreamEvent], now: float) -> None:
        """Pass events on. Slots are free again before anybody hears of it, so that nobody sees a full connection in vain."""
        over = [stream_id for stream_id, event in events if isinstance(event, ResponseEnded | ResponseFailed)]
        shares = {stream_id: self._shares.get(stream_id) for stream_id, _ in events}
        for stream_id in over:
            self._shares.pop(stream_id, None)
            self._crowded.discard(stream_id)
        for stream_id, event in events:
            share = shares[stream_id]
            if share is not None:
                share.take(event, now)
        if over or self.engine.is_leaving:
            self._has_room()

    def flush_soon(self) -> None:
        """Write at the end of this turn of the loop."""
        if not self._flush_planned:
            self._flush_planned = True
            self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_planned = False
        stream = self._stream
        if stream is None or stream.lost:
            return
        while not stream.unsent and (data := self.engine.data_to_send(WRITE_SLICE)):
            if not stream.write(data) or len(data) < WRITE_SLICE:
                break
        if self._crowded:
            self._look_for_room()

    def _look_for_room(self) -> None:
        crowded, self._crowded = self._crowded, set()
        for stream_id in crowded:
            share = self._shares.get(stream_id)
            if share is not None:
                share.request_drained()  # or it notes itself again

    def stream_drained(self) -> None:
        self._flush()
        self._regulate_reading()

    def _regulate_reading(self) -> None:
        """An origin that does not read our answers to its pings makes no more of them."""
        if self._stream and not self._stream.is_closing:
            if self.engine.wants_data:
                self._stream.resume_reading()
            else:
                self._stream.pause_reading()

    # -- ending -------------------------------------------------------------------------------------------------------

    def eof_received(self) -> None:
        self._give_up("reset" if self._first else "")

    def _give_up(self, why: str) -> None:
        """The connection is of no use any more."""
        self._why = why
        assert self._stream
        self._stream.abort()

    def _fail(self) -> None:
        """The origin does not speak HTTP/2, or not well. It is told so; whoever waited on it has been told already."""
        if not self._first:
            self.pool.note_failure(self.engine.failure)
        self._closing = True
        self._why = self.engine.failure
        self._flush()
        assert self._stream
        self._stream.close()

    def stream_lost(self, reason: str) -> None:
        why = self._why or reason
        self._closing = True
        self._deadlines.discard(self)
        self.pool.lost(self)
        opener, first = self._opener, self._first
        self._opener = self._first = None
        if opener and first:
            opener.connection_refused(first, why)
        else:
            self._tell([(each, _ending(event, why)) for each, event in self.engine.receive_eof()], self.now())

    def deadline_passed(self, now: float) -> None:
        """Look at a connection in use; close one that nobody has needed for a while."""
        stream = self._stream
        assert stream
        self.deadline = now + INSPECTION
        if stream.unsent and now - stream.last_progress >= SEND_TIMEOUT:
            self._give_up(failures.REQUEST_STALLED)
        elif not self.in_use:
            self._close_soon()
        elif now - self._pinged_at >= ORIGIN_PING_TIMEOUT:
            self._give_up(failures.IDLE_TIMEOUT)
        elif now - self._heard_at >= ORIGIN_PING_INTERVAL and self._pinged_at == NEVER:
            self._pinged_at = now
            self.engine.ping()
            self._flush()

    def _close_soon(self) -> None:
        """In order: GOAWAY, what is left to say, the end."""
        self._closing = True
        if self._stream and not self._stream.is_closing:
            self.engine.shut_down()
            self._flush()
            self._stream.close()

    def close(self) -> None:
        """Take nothing new; end when the last share is over."""
        self._closing = True
        if self._first:
            self._opener = self._first = None
            self._give_up("aborted")
        elif not self.in_use:
            self._close_soon()


def _ending(event: OriginEvent, why: str) -> OriginEvent:
    """What the end of the connection means for a share that still waits for its head."""
    if isinstance(event, ResponseFailed) and event.reason == failures.NEVER_ANSWERED:
        if why == "reset":
            return ResponseFailed(failures.RESET)
        if why in (failures.IDLE_TIMEOUT, failures.REQUEST_STALLED):
            return ResponseFailed(why)
    return event
