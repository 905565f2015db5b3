"""The body of one request on its way from the engine to the handler.

Pausing holds back the client, not just the handler: credit for bytes that have not been taken is not given back (HTTP/2), and
the socket is not read (HTTP/1.1). What was already parsed waits here; that is at most one read, or one stream window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.http.limits import BODY_IDLE_TIMEOUT, MIN_BODY_RATE
from edge.net.deadlines import NEVER

if TYPE_CHECKING:
    from edge.server.connection import Connection
    from edge.server.exchange import ServerExchange


class RequestBody:
    """Exists only while a body is expected: from its head to `receiver.body_ended`."""

    __slots__ = ("_connection", "_exchange", "_progress", "_received", "_since", "_waiting", "ended", "may_rest",
                 "paused", "waiting_credit")  # fmt: skip

    def __init__(self, exchange: ServerExchange, connection: Connection, now: float) -> None:
        self.paused = False
        self.ended = False
        """The engine has seen its end; with `paused`, the handler has not."""
        self.may_rest = False
        """Silence is no failure."""
        self._exchange = exchange
        self._connection = connection
        self._waiting = bytearray()  # not a list of pieces, which may be of two bytes
        self.waiting_credit = 0
        """Flow-control credit for all that has come and not been given back."""
        self._received = 0
        self._since = now
        self._progress = now

    def __repr__(self) -> str:
        return f"<RequestBody {self._received} bytes{' paused' if self.paused else ''}{' ended' if self.ended else ''}>"

    @property
    def deadline(self) -> float:
        """The moment at which the body, as far as it has come, counts as too slow.

        Idle time alone would let one byte a minute hold an exchange for ever, so after the idle time a body must also have
        come at a minimum rate on average. Time during which we did not want it does not count.
        """
        if self.paused or self.ended or self.may_rest:
            return NEVER
        return min(
            self._progress + BODY_IDLE_TIMEOUT,
            self._since + BODY_IDLE_TIMEOUT + self._received / MIN_BODY_RATE,
        )

    @property
    def waiting_bytes(self) -> int:
        """Bytes that came while paused and were not handed over."""
        return len(self._waiting)

    # -- from the engine ----------------------------------------------------------------------------------------------

    def receive(self, data: bytes, credit: int, now: float) -> None:
        """Body bytes have come."""
        self._progress = now
        self._received += len(data)
        if self.paused:
            self._waiting += data
            self.waiting_credit += credit
        else:
            self._hand_over(data, credit)

    def end(self) -> None:
        """The body is complete."""
        self.ended = True
        if not self.paused:
            self._tell_end()

    # -- from the handler ---------------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Hand over no more."""
        self.paused = True
        if not self._connection.engine.multiplexed:
            self._connection.stream.pause_reading()

    def resume(self, now: float) -> None:
        """Hand over first what waited here, then what comes."""
        self.paused = False
        self._since += now - self._progress
        self._progress = now
        data, credit = bytes(self._waiting), self.waiting_credit
        self._waiting, self.waiting_credit = bytearray(), 0
        self._hand_over(data, credit)
        if self.paused or not self._exchange.is_open:
            return
        if self.ended:
            self._tell_end()
        elif not self._connection.engine.multiplexed:
            self._connection.stream.resume_reading()

    def _hand_over(self, data: bytes, credit: int) -> None:
        receiver = self._exchange.receiver
        if data and receiver is not None:
            receiver.body_received(data)
        if self.paused:
            self.waiting_credit += credit  # taken, but the client may send as much again only after `resume`
        else:
            self._connection.engine.body_consumed(self._exchange.stream_id, credit)

    def _tell_end(self) -> None:
        self._exchange.body = None
        if self._exchange.receiver is not None:
            self._exchange.receiver.body_ended()


class TunnelInput(RequestBody):
    """The visitor's half of a tunnel, handshake included.

    It may be silent for as long as it likes: TCP keep-alive finds out whether the visitor still exists, and an application
    that wants to know more asks with a ping of its own.
    """

    __slots__ = ()

    @property
    def deadline(self) -> float:
        """None."""
        return NEVER
