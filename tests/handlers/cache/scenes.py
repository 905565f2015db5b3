"""A cache between fake visitors and an application that answers when the test says so."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from edge.config.schema import Caching
from edge.handlers.cache.claims import Claims
from edge.handlers.cache.handler import Cache
from edge.handlers.cache.index import CacheIndex
from edge.handlers.cache.store import CacheStore
from edge.handlers.maintenance import MaintenanceSwitch
from edge.http.exchange import Exchange
from edge.http.message import Field, Fields, Request, ResponseHead
from edge.net.deadlines import Deadlines
from tests.fakes import FakeExchange, make_request

LIMIT = 1024 * 1024
FRESH: Fields = ((b"cache-control", b"max-age=60"), (b"etag", b'"one"'), (b"content-type", b"text/plain"))


class FakeLoop:
    """Time stands still unless a test moves it; what is to be called soon is called by `turn`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._soon: list[Callable[[], object]] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> Any:
        self._soon.append(lambda: callback(*args))

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None) -> Any:
        self._soon.append(lambda: callback(*args))

    def turn(self) -> None:
        """One turn: calls what had been asked for before."""
        calls, self._soon = self._soon, []
        for call in calls:
            call()

    @property
    def is_idle(self) -> bool:
        return not self._soon


class Question:
    """The receiver of one exchange, as the proxy has one."""

    def __init__(self, exchange: Exchange, application: Application) -> None:
        self._exchange = exchange
        self._application = application

    def body_received(self, data: bytes) -> None:
        raise AssertionError("no request in these tests has a body")

    body_ended = resume_sending = lambda self: None

    def exchange_aborted(self, reason: str) -> None:
        self._application.aborted.append(reason)
        self._application.unwanted.append(self._exchange)
        if self._exchange in self._application.asked:
            self._application.asked.remove(self._exchange)


class Application:
    """The handler behind the cache. `asked` are the exchanges that it has not answered yet, `unwanted` those whose end it must
    not tell."""

    def __init__(self) -> None:
        self.asked: list[Exchange] = []
        self.requests: list[Request] = []
        self.aborted: list[str] = []
        self.unwanted: list[Exchange] = []

    def __call__(self, exchange: Exchange) -> None:
        self.asked.append(exchange)
        self.requests.append(exchange.request)
        exchange.receiver = Question(exchange, self)

    def answer(self, body: bytes = b"hello", fields: Fields = FRESH, status: int = 200) -> None:
        """The oldest question, in one piece."""
        self.take().respond(ResponseHead(status, fields, len(body)), body)

    def take(self) -> Exchange:
        """The oldest question."""
        return self.asked.pop(0)


class Scene:
    """What workers share, and one worker; `worker` makes another."""

    def __init__(self, directory: Path, rules: Caching | None = None, limit: int = LIMIT) -> None:
        self.directory = directory
        self.rules = rules or Caching()
        self.index = CacheIndex(1024)
        self.claims = Claims(self.index)
        self.wall = 1_700_000_000.0
        self.loop = FakeLoop()
        self.deadlines = Deadlines()
        self.maintenance = MaintenanceSwitch()
        self.application = Application()
        self.limit = limit
        self.cache = self.worker()

    def worker(self) -> Cache:
        """A cache as another worker has it."""
        self.store = CacheStore(str(self.directory), self.limit, self.index, lambda: self.wall)
        return Cache(
            self.rules,
            "a.test",
            self.store,
            self.claims,
            self.application,
            self.maintenance,
            self.deadlines,
            cast("asyncio.AbstractEventLoop", self.loop),
            lambda: self.wall,
        )

    def begin(
        self,
        target: str = "/",
        *fields: Field,
        method: bytes = b"GET",
        cache: Cache | None = None,
        capacity: float = float("inf"),
    ) -> FakeExchange:
        """A visitor asks."""
        exchange = FakeExchange(make_request(target, method, fields), capacity)
        (cache or self.cache)(exchange)
        return exchange

    def get(
        self, target: str = "/", *more: Field, body: bytes = b"hello", fields: Fields = FRESH, status: int = 200
    ) -> FakeExchange:
        """A visitor asks, and the application, if it is asked, answers so."""
        exchange = self.begin(target, *more)
        while self.application.asked:
            self.application.answer(body, fields, status)
        self.run()
        return exchange

    def run(self) -> None:
        """Until nothing is left to do."""
        for _ in range(1000):
            if self.loop.is_idle:
                return
            self.loop.turn()
        raise AssertionError("there is always something left to do")

    def pass_time(self, seconds: float) -> None:
        """For everybody."""
        self.wall += seconds
        self.loop.now += seconds
        self.deadlines.sweep(self.loop.now)

    @property
    def questions(self) -> int:
        """How often the application was asked."""
        return len(self.application.requests)

    def files(self) -> list[Path]:
        """What lies in the directory."""
        return sorted(self.directory.iterdir())

    def on_disk(self) -> int:
        """Bytes of all files."""
        return sum(os.stat(path).st_size for path in self.files())
