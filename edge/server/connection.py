"""A visitor's connection: bytes from a stream go through an engine, its events become exchanges for the handler.

One class serves all engines, because HTTP/1.1 is a multiplex of one. A turn is what one read causes: all its events are
worked off, then everything that was answered meanwhile leaves in one write. What is answered outside of a turn leaves at once
if the exchange is over, else at the end of the loop's turn, together with all other connections.

Deadlines cost one float (see `edge.net.deadlines`); `deadline_passed` works out which rule, if any, was broken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.errors import HTTPError
from edge.http.exchange import Peer
from edge.http.limits import (
    HANDSHAKE_TIMEOUT,
    HEAD_TIMEOUT,
    HIGH_WATER,
    KEEP_ALIVE_TIMEOUT,
    LINGER_TIMEOUT,
    LOW_WATER,
    MAX_HELD_PER_CLIENT,
    MAX_LINGER,
    SEND_TIMEOUT,
    WRITE_SLICE,
)
from edge.http.message import Fields
from edge.net.deadlines import NEVER
from edge.server.client import Client
from edge.server.exchange import CLIENT_GONE, ServerExchange
from edge.server.request_body import RequestBody, TunnelInput
from edge.server.stall_watch import StallWatch
from edge.wire.engine import (
    BodyReceived,
    ConnectionEnded,
    Engine,
    Event,
    RequestEnded,
    RequestReceived,
    RequestRefused,
    StreamAborted,
)

DRAIN_GRACE: Final = 1.0
"""Seconds for requests that were on their way when a drain began (RFC 9113 §6.8: at least a round trip)."""

INSPECTION: Final = 15.0
"""Seconds between two looks at a connection on which streams may be stuck in flow control."""

if TYPE_CHECKING:
    from edge.net.socket_stream import SocketStream
    from edge.server.server import Entrance, Server


class Connection:
    """One connection of a visitor. Made by `Server` on accept; lives until `stream_lost`."""

    __slots__ = (
        "_choked",
        "_closing",
        "_discarded",
        "_draining",
        "_entrance",
        "_flush_planned",
        "_has_news",
        "_head_since",
        "_idle_since",
        "_in_turn",
        "_stall_watch",
        "_weighed",
        "client",
        "deadline",
        "engine",
        "exchanges",
        "has_stalled",
        "held",
        "peer",
        "server",
        "stream",
    )

    engine: Engine
    peer: Peer
    stream: SocketStream

    def __init__(self, server: Server, entrance: Entrance, client: Client, now: float) -> None:
        self.server = server
        self.client = client
        self.exchanges: dict[int, ServerExchange] = {}
        self.held = 0
        """Body bytes that handlers have sent and the client has not taken, as of the last flush; what came since is added."""
        self._weighed = 0  # what the client's account says about this connection
        self.has_stalled = False
        """Whether some handler was told to wait with sending."""
        self.deadline = now + HANDSHAKE_TIMEOUT
        self._entrance = entrance
        self._in_turn = False
        self._flush_planned = False
        self._draining = False
        self._closing = False
        self._has_news = False
        """Something was said to an HTTP/1.1 engine in this turn, or by it, that may have to be written."""
        self._choked = False
        """Reading is paused because the engine holds enough of what this peer sent."""
        self._head_since = NEVER
        self._idle_since = now
        self._discarded = 0
        self._stall_watch = StallWatch()

    def __repr__(self) -> str:
        return f"<Connection {self.stream!r} {len(self.exchanges)} exchanges>"

    @property
    def is_open(self) -> bool:
        """Whether the handshake is done, so that there is an engine."""
        return hasattr(self, "engine")

    @property
    def idle_since(self) -> float:
        """See `edge.server.client.Guest`. A request whose head has not come whole is no reason to stay."""
        if not self.is_open:
            return self._idle_since
        engine = self.engine
        if self.stream.unsent or not (self._closing or engine.is_idle or engine.head_in_progress) or self.exchanges:
            return NEVER
        return self._idle_since

    def begin(self) -> None:
        """See `edge.server.client.Guest`."""
        self.stream.share = self.client.handshakes
        self.stream.start()

    def weigh(self) -> int:
        """See `edge.server.client.Guest`."""
        held = min(self.stream.unsent, HIGH_WATER) + self.engine.held if self.is_open else 0
        self.client.held += held - self._weighed
        self._weighed = held
        return held

    def give_way(self) -> None:
        """See `edge.server.client.Guest`: an orderly end where there has been an orderly beginning."""
        if not self.is_open or self._closing:
            self.stream.abort()
        else:
            self._time_out()

    # -- the stream's callbacks ---------------------------------------------------------------------------------------

    def stream_opened(self) -> None:
        """The handshake is done: greet according to the protocol that was agreed."""
        self._idle_since = now = self.server.clock()
        self.deadline = now + KEEP_ALIVE_TIMEOUT
        self.engine, self.peer = self._entrance.greet(self.stream)
        self.stream.share = self.client.reads
        if self.server.draining:
            self.begin_drain()
        self.flush()

    def data_received(self, data: bytes) -> None:
        """One turn: all events of these bytes, then one write."""
        engine = self.engine
        now = self.server.clock()
        self._in_turn = True
        events = engine.receive_data(data, now)
        while True:
            for event in events:
                if type(event) is RequestReceived:
                    self._head_since = NEVER  # a head that is in progress now began after this one
                    self._request_received(event, now)
                else:
                    self._has_news = True
                    self._dispatch(event, now)
            if not engine.has_buffered or self._closing or (self.exchanges and not engine.multiplexed):
                break
            events = engine.receive_data(b"", now)
        self._in_turn = False
        if self._has_news or engine.multiplexed:
            self._has_news = False
            self.flush()
        if engine.head_in_progress:
            if self._head_since == NEVER:
                self._head_since = now
                self.deadline = min(self.deadline, now + HEAD_TIMEOUT)
        else:
            self._head_since = NEVER
        if self._choked or not engine.wants_data:
            self._regulate_reading()

    def eof_received(self) -> None:
        """The client will send nothing more. Whoever waits for an answer has left (as nginx sees it); half a tunnel goes on."""
        if any(exchange.status == 101 for exchange in self.exchanges.values()):
            for event in self.engine.receive_eof():
                self._dispatch(event, self.server.loop.time())
            return
        self._abort_exchanges("client-gone")
        self._close()

    def stream_drained(self) -> None:
        """The socket takes bytes again."""
        self.flush()
        self._resume_exchanges()

    def _regulate_reading(self) -> None:
        """Read exactly while the engine has room for more and no handler holds its HTTP/1.1 body back."""
        if self._closing:
            return
        self._choked = not self.engine.wants_data
        if self._choked:
            self.stream.pause_reading()
        elif self.engine.multiplexed or not any(each.holds_body for each in self.exchanges.values()):
            self.stream.resume_reading()

    def stream_lost(self, reason: str) -> None:
        """The socket is gone."""
        self._closing = True
        self.client.held -= self._weighed
        self._weighed = 0
        self.server.forget(self)
        self._abort_exchanges(reason or "closed")

    # -- events -------------------------------------------------------------------------------------------------------

    def _request_received(self, event: RequestReceived, now: float) -> None:
        exchange = ServerExchange(self, event.stream_id, event.request, now)
        self.exchanges[event.stream_id] = exchange
        self._discarded = 0
        if self.engine.multiplexed:
            self.deadline = min(self.deadline, now + INSPECTION)
        if not event.ended:
            kind = TunnelInput if event.request.upgrade else RequestBody
            exchange.body = body = kind(exchange, self, now)
            self.deadline = min(self.deadline, body.deadline)
        try:
            self._entrance.handler(exchange)
        except HTTPError as error:
            self.server.answer_error(exchange, error)
        except Exception as error:
            self.server.report_bug(exchange, error)

    def _dispatch(self, event: Event, now: float) -> None:
        match event:
            case BodyReceived(stream_id, data, credit):
                self._body_received(stream_id, data, credit, now)
            case RequestEnded(stream_id):
                self._body_ended(stream_id)
            case RequestRefused(stream_id, status, reason):
                self.server.refuse(self, stream_id, status, reason)
            case StreamAborted(stream_id, reason):
                exchange = self.exchanges.get(stream_id)
                if exchange is not None:
                    self._abandon(exchange, reason)
            case ConnectionEnded(reason):
                if reason and self.engine.multiplexed:
                    self.server.reception.misbehaved(self.client, self, reason)
                self._abort_exchanges(reason or "client-gone")
                self._close(linger=True)
            case _:
                pass  # StreamWritable: the flush that ends every turn looks at stalled exchanges anyway

    def _body_received(self, stream_id: int, data: bytes, credit: int, now: float) -> None:
        exchange = self.exchanges.get(stream_id)
        if exchange is not None and exchange.body is not None:
            exchange.body.receive(data, credit, now)
        else:
            self._discard(stream_id, len(data), credit)

    def _body_ended(self, stream_id: int) -> None:
        exchange = self.exchanges.get(stream_id)
        if exchange is not None and exchange.body is not None:
            exchange.body.end()

    def _discard(self, stream_id: int, size: int, credit: int) -> None:
        """Body bytes that nobody wants: a little is read to the end, then the client is cut off. HTTP/2 engines see to it."""
        if self.engine.multiplexed:
            self.engine.body_consumed(stream_id, credit)
            return
        self._discarded += size
        if self._discarded > MAX_LINGER:
            self._close(linger=True)

    # -- called by exchanges ------------------------------------------------------------------------------------------

    def unsent(self, stream_id: int) -> int:
        """Response bytes of a stream that have not left: queued for flow control or for the socket."""
        return self.stream.unsent + self.engine.unsent(stream_id)

    def response_ended(self, exchange: ServerExchange, *, whole: bool = True, reason: str = "") -> None:
        """The exchange has said its last word. `whole` False: the client can see that something is missing."""
        self.exchanges.pop(exchange.stream_id, None)
        exchange.detach()
        server = self.server
        now = server.clock()
        if server.record is not None:
            server.record(exchange, now)
        if not whole:
            server.response_cut(exchange, reason or "length-mismatch")
            if not self.engine.multiplexed:
                self.stream.abort()  # a reset: even a body that only the end of the connection delimits is seen to be cut
                return
        if exchange.body is not None and not exchange.body.ended:
            self._stop_body(exchange.stream_id, exchange.body, now)
        if not self.exchanges:
            self._idle_since = now
        if self._in_turn:
            self._has_news = True
        else:
            self._continue(now)

    def _stop_body(self, stream_id: int, body: RequestBody, now: float) -> None:
        """A response came before the end of the request body: what follows is thrown away, for a while."""
        if self.engine.multiplexed:
            self.engine.body_consumed(stream_id, body.waiting_credit)
            return
        self.deadline = min(self.deadline, now + LINGER_TIMEOUT)
        if body.paused:
            self.stream.resume_reading()
        self._discarded = body.waiting_bytes

    def _continue(self, now: float) -> None:
        """After an exchange ended outside of a turn: write, then look at pipelined requests."""
        if self.engine.multiplexed:
            self.flush_soon()
            return
        self.flush()
        if self._closing:
            return
        if self.engine.has_buffered:
            self.data_received(b"")
        elif self._choked or not self.engine.wants_data:
            self._regulate_reading()
        if not self.exchanges and self._head_since == NEVER and self._discarded == 0:
            self.deadline = now + KEEP_ALIVE_TIMEOUT

    def open_tunnel(self, exchange: ServerExchange, fields: Fields) -> int:
        """Accept a handshake; returns the status that says so. Bytes that came behind it follow once the handler is through."""
        status = self.engine.open_tunnel(exchange.stream_id, fields)
        if exchange.body is None:
            exchange.body = TunnelInput(exchange, self, self.server.loop.time())
        self.stream.keep_alive()
        self.flush_soon()
        if self.engine.has_buffered:
            self.server.loop.call_soon(self._work_off)
        return status

    def resume_body(self, body: RequestBody) -> None:
        """A handler wants more of a body that it had paused."""
        body.resume(self.server.clock())
        self.deadline = min(self.deadline, body.deadline)
        self.flush_soon()

    # -- output -------------------------------------------------------------------------------------------------------

    def flush_soon(self) -> None:
        """Write at the end of this turn of the loop."""
        self._has_news = True
        if not self._in_turn and not self._flush_planned:
            self._flush_planned = True
            self.server.plan_flush(self)

    def flush_planned(self) -> None:
        """The turn has ended."""
        self._flush_planned = False
        self.flush()

    def flush(self) -> None:
        """Write what the engine has, as far as the socket takes it."""
        if self._in_turn or self._closing:
            return
        engine, stream = self.engine, self.stream
        while not stream.unsent and (data := engine.data_to_send(WRITE_SLICE)):
            if not stream.write(data):
                self.deadline = min(self.deadline, stream.last_progress + SEND_TIMEOUT)
            elif len(data) < WRITE_SLICE:
                break
        if self._choked:
            self._regulate_reading()
        if self.held:
            self._settle()
        if engine.must_close:
            self._finish()
        elif self.exchanges:
            if self.has_stalled and not stream.unsent:
                self._resume_exchanges()
        elif self._draining and engine.is_idle:
            self._close()
        if engine.multiplexed and engine.has_buffered:
            self.server.loop.call_soon(self._work_off)

    def _settle(self) -> None:
        """Bodies have been sent: see what is left of them."""
        self.held = self.weigh()
        if self.client.held > MAX_HELD_PER_CLIENT:
            self.server.reception.relieve_soon(self.client)

    def _work_off(self) -> None:
        """Verdicts that an engine reaches only while its output is taken."""
        if not self._closing:
            self.data_received(b"")

    def _finish(self) -> None:
        """The engine wants the connection closed once everything is written."""
        if self.engine.is_idle or not self.exchanges:
            rest = self.engine.data_to_send(WRITE_SLICE)
            while rest:
                self.stream.write(rest)
                rest = self.engine.data_to_send(WRITE_SLICE)
            self._close(linger=True)

    def _resume_exchanges(self) -> None:
        self.has_stalled = False
        for exchange in [each for each in self.exchanges.values() if each.stalled]:
            if exchange.is_open and self.unsent(exchange.stream_id) <= LOW_WATER:
                exchange.stalled = False
                if exchange.receiver is not None:
                    exchange.receiver.resume_sending()
            else:
                self.has_stalled = True

    # -- ending -------------------------------------------------------------------------------------------------------

    def begin_drain(self) -> None:
        """Take no new request soon; close when what is in flight has finished.

        A request may be on its way already. HTTP/2 says so with two GOAWAYs; on HTTP/1.1 whoever sends one within
        DRAIN_GRACE is answered, with `connection: close`.
        """
        if not self.is_open or self._closing:
            return
        self.engine.shut_down()
        self.flush()
        self.server.loop.call_later(DRAIN_GRACE, self._finish_drain)

    def _finish_drain(self) -> None:
        if self._closing:
            return
        self._draining = True
        if self.engine.multiplexed:
            self.engine.shut_down()
        self.flush()

    def _close(self, *, linger: bool = False) -> None:
        if self._closing:
            return
        rest = self.engine.data_to_send(WRITE_SLICE)
        if rest:
            self.stream.write(rest)
        self._closing = True
        self.deadline = self.server.clock() + (LINGER_TIMEOUT if not self.stream.unsent else SEND_TIMEOUT)
        self.stream.close(linger=linger)

    def abort(self) -> None:
        """End now, whatever is in flight."""
        self.stream.abort()

    def _abort_exchanges(self, reason: str) -> None:
        for exchange in list(self.exchanges.values()):
            self._abandon(exchange, reason)

    def _abandon(self, exchange: ServerExchange, reason: str) -> None:
        """The client's side of an exchange is over before its response: tell the handler, log it."""
        self.exchanges.pop(exchange.stream_id, None)
        receiver = exchange.detach()
        if not exchange.status:
            exchange.status = CLIENT_GONE
        now = self.server.clock()
        if not self.exchanges:
            self._idle_since = now
        if self.server.record is not None:
            self.server.record(exchange, now)
        if receiver is not None:
            receiver.exchange_aborted(reason)

    # -- deadlines ----------------------------------------------------------------------------------------------------

    def deadline_passed(self, now: float) -> None:
        """Find the rule that was broken, or the next moment to look."""
        if not self.is_open or self._closing:
            self.stream.abort()
            return
        if self.stream.unsent and now >= self.stream.last_progress + SEND_TIMEOUT:
            self.stream.abort()
            return
        if now >= self._head_since + HEAD_TIMEOUT:
            self._time_out()
            return
        self._check_bodies(now)
        self._check_stalled(now)
        if self.stream.is_closing:
            return
        if not self.exchanges and self.engine.is_idle and now >= self._idle_deadline():
            self._time_out()
            return
        self.deadline = self._next_deadline(now)

    def _check_bodies(self, now: float) -> None:
        for exchange in list(self.exchanges.values()):
            if exchange.body is not None and now >= exchange.body.deadline:
                self.server.body_too_slow(exchange)

    def _check_stalled(self, now: float) -> None:
        for stream_id in self._stall_watch.look(self.engine.send_progress(), now):
            self.engine.reset(stream_id)
            exchange = self.exchanges.get(stream_id)
            if exchange is not None:
                self._abandon(exchange, "send-timeout")
        self.flush()

    def _next_deadline(self, now: float) -> float:
        moments = [self._head_since + HEAD_TIMEOUT]
        if self.stream.unsent:
            moments.append(self.stream.last_progress + SEND_TIMEOUT)
        if self.exchanges or not self.engine.is_idle:
            moments.append(now + INSPECTION)
        else:
            moments.append(self._idle_deadline())
        moments.extend(each.body.deadline for each in self.exchanges.values() if each.body is not None)
        return min(moments)

    def _idle_deadline(self) -> float:
        return self._idle_since + (LINGER_TIMEOUT if self._discarded else KEEP_ALIVE_TIMEOUT)

    def _time_out(self) -> None:
        """An idle connection, or a head that took too long: nobody is owed an answer."""
        self._abort_exchanges("timeout")
        self.engine.shut_down()
        self._close()
