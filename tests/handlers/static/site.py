"""A mount on real files, with clocks that tests turn."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from edge.config.schema import StaticMount
from edge.errors import HTTPError
from edge.handlers.static.handler import StaticHandler
from edge.http.message import Field
from tests.fakes import FakeExchange, make_request

MODIFIED = 1_700_000_000
"""When files of a test were last changed, unless said otherwise."""


class StaticSite:
    """A `StaticHandler` over `root`, asked like a server would ask it."""

    def __init__(self, root: Path, prefix: str = "/static") -> None:
        self.root = root
        self.now = 100.0
        self.deferred: list[Callable[[], None]] = []
        self.handler = StaticHandler(
            StaticMount(prefix, str(root)), lambda: self.now, lambda: MODIFIED + 1000.0, self.deferred.append
        )

    def put(self, name: str, content: bytes | str = "content", modified: float = MODIFIED) -> Path:
        """Write a file below the root, directories included."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (modified, modified))
        return path

    def exchange(self, target: str, method: str = "GET", /, **fields: str) -> FakeExchange:
        """An exchange that the handler has been called with; field names with underscores for hyphens."""
        lines: tuple[Field, ...] = tuple((k.replace("_", "-").encode(), v.encode()) for k, v in fields.items())
        exchange = FakeExchange(make_request(target, method.encode(), lines))
        self.handler(exchange)
        return exchange

    def slow_exchange(self, target: str) -> FakeExchange:
        """A GET by a client that takes one slice and then no more until told to."""
        exchange = FakeExchange(make_request(target), capacity=1)
        self.handler(exchange)
        return exchange

    def get(self, target: str, /, **fields: str) -> FakeExchange:
        """The whole answer to a GET."""
        exchange = self.exchange(target, **fields)
        self.run_deferred()
        assert exchange.is_ended
        return exchange

    def status(self, target: str, method: str = "GET", /, **fields: str) -> int:
        """The status, a raised one included."""
        try:
            return self.exchange(target, method, **fields).status
        except HTTPError as error:
            return error.status

    def run_deferred(self) -> None:
        """Let the event loop's next turns come until nothing is left to do."""
        while self.deferred:
            self.deferred.pop(0)()

    def wait(self, seconds: float = 1.0) -> None:
        """Turn the clock on."""
        self.now += seconds
