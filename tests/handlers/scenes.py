"""A proxy between fake exchanges and real origins, which must leave no descriptor and no deadline behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from edge.config.address import UpstreamAddress
from edge.config.schema import Balancing
from edge.errors import HTTPError
from edge.handlers.error_page import respond_error
from edge.handlers.proxy import Proxy
from edge.http.message import Field, Request
from edge.net.deadlines import Deadlines
from edge.upstream.upstream import NO_HOLD, Upstream
from tests.fakes import FakeExchange
from tests.upstream.origins import Script, ScriptedOrigin, descriptors, settle, until

MAX_BODY = 1024 * 1024
PIECE = 64 * 1024


def request_of(
    method: bytes = b"GET",
    *,
    content_length: int | None = 0,
    fields: Iterable[Field] = (),
    target: bytes = b"/",
    expects_continue: bool = False,
    upgrade: bytes = b"",
    accepts_trailers: bool = False,
) -> Request:
    return Request(
        method=method,
        scheme=b"https",
        authority=b"a.test",
        target=target,
        fields=tuple(fields),
        content_length=content_length,
        expects_continue=expects_continue,
        upgrade=upgrade,
        accepts_trailers=accepts_trailers,
    )


class Scene:
    """What a test drives."""

    def __init__(
        self,
        addresses: list[UpstreamAddress],
        origins: list[ScriptedOrigin],
        max_body: int,
        balancing: Balancing,
        ca_file: str = "",
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.deadlines = Deadlines()
        self.upstream = Upstream(addresses, self.deadlines, self.loop, balancing, "a.test", ca_file)
        self.proxy = Proxy(self.upstream, max_body, self.loop)
        self.origins = origins

    @property
    def origin(self) -> ScriptedOrigin:
        return self.origins[0]

    @property
    def idle(self) -> int:
        """Pooled connections."""
        return sum(len(origin.pool) for origin in self.upstream.origins)

    def begin(self, request: Request, capacity: float = float("inf")) -> FakeExchange:
        """Hand a request to the proxy; its body, if any, is up to the test."""
        exchange = FakeExchange(request, capacity)
        try:
            self.proxy(exchange)
        except HTTPError as error:
            respond_error(exchange, error)
        return exchange

    async def finish(self, exchange: FakeExchange) -> FakeExchange:
        """Wait for the response's end or abort."""
        await until(lambda: exchange.is_over)
        await settle()
        return exchange

    async def get(self, method: bytes = b"GET", **more: object) -> FakeExchange:
        """One request without a body, from begin to end."""
        return await self.finish(self.begin(request_of(method, **more)))  # type: ignore[arg-type]  # test shorthand

    async def post(self, body: bytes, method: bytes = b"POST", *, known: bool = True) -> FakeExchange:
        """One request with a body that comes at once."""
        exchange = self.begin(request_of(method, content_length=len(body) if known else None))
        self.feed(exchange, body)
        return await self.finish(exchange)

    def feed(self, exchange: FakeExchange, *pieces: bytes, end: bool = True) -> None:
        """Body bytes, as the server would deliver them; stops when the response is over, as the server does."""
        for piece in pieces:
            if exchange.receiver and not exchange.is_over:
                exchange.receiver.body_received(piece)
        if end and exchange.receiver and not exchange.is_over:
            exchange.receiver.body_ended()

    def feed_until_paused(self, exchange: FakeExchange) -> int:
        """Body bytes until the visitor is asked to wait; how many."""
        fed = 0
        while not exchange.is_body_paused:
            self.feed(exchange, bytes(PIECE), end=False)
            fed += PIECE
        return fed

    def pass_time(self, seconds: float) -> None:
        """Let the deadlines believe that it is later."""
        self.deadlines.sweep(self.loop.time() + seconds)


@asynccontextmanager
async def scene(
    *scripts: Script,
    addresses: Iterable[UpstreamAddress] = (),
    max_body: int = MAX_BODY,
    balancing: Balancing = NO_HOLD,
) -> AsyncIterator[Scene]:
    """One origin per script, and `addresses` behind them.

    Checks on leaving that everything has been released and that no callback raised.
    """
    raised: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: raised.append(context))
    await settle()
    before = descriptors()
    async with AsyncExitStack() as stack:
        origins = [await stack.enter_async_context(ScriptedOrigin(script)) for script in scripts]
        stage = Scene([*(origin.address for origin in origins), *addresses], origins, max_body, balancing)
        try:
            yield stage
        finally:
            stage.upstream.close()
            await settle()
    await settle()
    assert not raised, raised
    assert len(stage.deadlines) == 0, "a deadline is left behind"
    assert descriptors() == before, "a descriptor is left behind"
