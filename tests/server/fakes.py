"""A connection without sockets or clocks: everything around it is a fake that tests move by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edge.errors import HTTPError
from edge.http.exchange import Exchange, Handler, Peer
from edge.http.message import ResponseHead
from edge.net.deadlines import Deadlines
from edge.server.connection import Connection
from edge.server.exchange import ServerExchange
from edge.server.server import Server
from edge.wire.engine import Engine


class FakeLoop:
    """Time stands still until a test moves it; what is due is called by `turn`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._soon: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self._later: list[tuple[float, Callable[..., object], tuple[Any, ...]]] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[..., object], *args: Any) -> None:
        self._soon.append((callback, args))

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> None:
        self._later.append((self.now + delay, callback, args))

    def turn(self) -> None:
        due = [(callback, args) for when, callback, args in self._later if when <= self.now]
        self._later = [entry for entry in self._later if entry[0] > self.now]
        for callback, args in due:
            callback(*args)
        while self._soon:
            callback, args = self._soon.pop(0)
            callback(*args)


class FakeStream:
    """A stream whose socket takes everything, or nothing while `full`."""

    def __init__(self, connection: Connection, loop: FakeLoop) -> None:
        self.connection = connection
        self.loop = loop
        self.sent = b""
        self.unsent = 0
        self.full = False
        self.reading = True
        self.is_closing = False
        self.lingering = False
        self.is_kept_alive = False
        self.lost: str | None = None
        self.last_progress = loop.now
        self._queue = b""

    def start(self) -> None:
        self.connection.stream_opened()

    def write(self, data: bytes) -> bool:
        assert not self.is_closing
        if self.full:
            self._queue += data
            self.unsent = len(self._queue)
            return False
        self.sent += data
        self.last_progress = self.loop.now
        return True

    def drain(self) -> None:
        """The socket takes everything again."""
        self.full = False
        self.sent += self._queue
        self._queue, self.unsent = b"", 0
        self.last_progress = self.loop.now
        self.connection.stream_drained()

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def keep_alive(self) -> None:
        self.is_kept_alive = True

    def close(self, *, linger: bool = False) -> None:
        self.is_closing = True
        self.lingering = linger

    def abort(self) -> None:
        self.is_closing = True
        if self.lost is None:
            self.lost = "aborted"
            self.connection.stream_lost("aborted")


class FakeEntrance:
    """Every connection speaks to `engine` and is answered by `handler`."""

    def __init__(self, handler: Handler, engine: Engine, loop: FakeLoop) -> None:
        self.handler = handler
        self.engine = engine
        self.loop = loop
        self.stream: FakeStream

    def open(self, sock: object, connection: Connection) -> Any:
        self.stream = FakeStream(connection, self.loop)
        return self.stream

    def client(self, sock: object) -> str:
        return "203.0.113.7"

    def greet(self, stream: object) -> tuple[Engine, Peer]:
        return self.engine, Peer("203.0.113.7", 4711)


class Visit:
    """One visitor's connection and all that belongs to it."""

    def __init__(self, handler: Handler, engine: Engine, *, draining: bool = False) -> None:
        self.loop = FakeLoop()
        self.deadlines = Deadlines()
        self.records: list[tuple[int, int]] = []
        loop: Any = self.loop
        self.server = Server(loop, self.deadlines, self._answer_error, self._record, self.loop.time)
        self.server.draining = draining
        entrance = FakeEntrance(handler, engine, self.loop)
        sock: Any = None
        self.server.accept(sock, entrance)
        self.stream = entrance.stream
        self.connection = entrance.stream.connection

    @staticmethod
    def _answer_error(exchange: Exchange, error: HTTPError) -> None:
        body = error.reason.encode()
        exchange.respond(ResponseHead(error.status, (), len(body)), body)

    def _record(self, exchange: ServerExchange, now: float) -> None:
        self.records.append((exchange.status, exchange.sent))

    def receive(self, data: bytes) -> None:
        """Bytes from the visitor, then the end of the loop's turn."""
        self.connection.data_received(data)
        self.loop.turn()

    def wait(self, seconds: float) -> None:
        """Let time pass, in sweeps."""
        until = self.loop.now + seconds
        while self.loop.now < until:
            self.loop.now = min(self.loop.now + 0.25, until)
            self.loop.turn()
            self.deadlines.sweep(self.loop.now)

    def take(self) -> bytes:
        """What has been sent since the last call."""
        sent, self.stream.sent = self.stream.sent, b""
        return sent


class Recorder:
    """A receiver that writes down what it hears, and the exchange it belongs to."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.body = b""
        self.heard: list[str] = []
        exchange.receiver = self

    def body_received(self, data: bytes) -> None:
        self.body += data

    def body_ended(self) -> None:
        self.heard.append("ended")

    def resume_sending(self) -> None:
        self.heard.append("resume")

    def exchange_aborted(self, reason: str) -> None:
        self.heard.append(reason)
