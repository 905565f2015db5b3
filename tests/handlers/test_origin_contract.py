"""What a visitor gets does not depend on what the origin speaks: the same answers over HTTP/1.1 and over h2c."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec import Struct

from edge.config.address import H2C, UpstreamAddress
from edge.http.limits import FIRST_BYTE_TIMEOUT, UPSTREAM_IDLE_TIMEOUT
from edge.http.message import Fields
from edge.wire.response_format import format_fields, format_interim, format_status_line
from tests.handlers.scenes import Scene, request_of, scene
from tests.upstream.http2_origins import Call, HTTP2Origin
from tests.upstream.origins import ScriptedOrigin, Visit, free_port, settle, until

KINDS = ("http/1.1", "h2c")


class Answer(Struct, frozen=True):
    """What the origin says to every request. `cut` breaks it off behind its pieces, `stalls` says nothing more there, `is_silent`
    never begins it."""

    status: int = 200
    length: int | None = None
    pieces: tuple[bytes, ...] = ()
    trailers: Fields = ()
    interim: Fields = ()
    cut: bool = False
    stalls: bool = False
    is_silent: bool = False


class Origin:
    """One origin of either kind; `bodies` are those of the requests, `connections` how many were opened."""

    def __init__(self, kind: str, answer: Answer) -> None:
        self._kind = kind
        self._answer = answer
        self.bodies: list[bytes] = []
        self._first = ScriptedOrigin(self._over_http1)
        self._second = HTTP2Origin(self._over_h2c)

    @asynccontextmanager
    async def scene(self) -> AsyncIterator[Scene]:
        origin = self._first if self._kind == "http/1.1" else self._second
        async with origin:
            stage_of = scene(addresses=[origin.address])
            async with stage_of as stage:
                yield stage
                stage.upstream.close()
                await until(lambda: not any(line.is_open for line in self._second.lines))

    @property
    def connections(self) -> int:
        return self._first.connections + len(self._second.lines)

    async def _over_http1(self, visit: Visit) -> None:
        answer = self._answer
        while True:
            self.bodies.append(await visit.request())
            if answer.is_silent:
                await visit.closed()
                return
            if answer.interim:
                await visit.send(format_interim(103, answer.interim))
            has_chunks = answer.length is None and answer.status != 204
            lines = (
                b"transfer-encoding: chunked\r\n" if has_chunks else b"content-length: %d\r\n" % (answer.length or 0)
            )
            await visit.send(format_status_line(answer.status) + (b"" if answer.status == 204 else lines) + b"\r\n")
            is_head = b"HEAD " in self._first.heads[-1][:5]
            for piece in () if is_head else answer.pieces:
                await visit.send(b"%x\r\n%b\r\n" % (len(piece), piece) if has_chunks else piece)
            if answer.cut:
                return
            if answer.stalls:
                await visit.closed()
            if has_chunks and not is_head:
                await visit.send(b"0\r\n" + format_fields(answer.trailers) + b"\r\n")

    async def _over_h2c(self, call: Call) -> None:
        answer = self._answer
        self.bodies.append(await call.complete())
        if answer.is_silent:
            return
        if answer.interim:
            call.interim(103, *answer.interim)
        length = () if answer.length is None else ((b"content-length", b"%d" % answer.length),)
        is_head = call.field(b":method") == b"HEAD"
        bare = is_head or not (answer.pieces or answer.trailers or answer.cut)
        call.head(answer.status, *length, end=bare)
        if bare:
            return
        for piece in answer.pieces:
            await call.data(piece)
        if answer.cut:
            call.line.drop()
        elif answer.stalls:
            return
        elif answer.trailers:
            call.trailers(*answer.trailers)
        else:
            await call.data(b"", end=True)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.mark.parametrize(
    ("answer", "method", "body"),
    [
        (Answer(length=5, pieces=(b"he", b"llo")), b"GET", b"hello"),
        (Answer(pieces=(b"he", b"llo")), b"GET", b"hello"),
        (Answer(length=0), b"GET", b""),
        (Answer(204), b"GET", b""),
        (Answer(404, length=2, pieces=(b"no",)), b"DELETE", b"no"),
        (Answer(length=5, pieces=(b"hello",)), b"HEAD", b""),
        (Answer(pieces=(b"sum",), trailers=((b"x-sum", b"1"),)), b"GET", b"sum"),
        (Answer(length=2, pieces=(b"ok",), interim=((b"link", b"</a>"),)), b"GET", b"ok"),
    ],
)
def test_answers_arrive_whole(kind: str, answer: Answer, method: bytes, body: bytes) -> None:
    """Status, body, interim head and trailers, twice over one connection."""

    async def main() -> None:
        origin = Origin(kind, answer)
        async with origin.scene() as stage:
            for _ in range(2):
                exchange = await stage.get(method)
                assert (exchange.status, exchange.body, exchange.is_ended) == (answer.status, body, True)
                assert exchange.trailers == answer.trailers
                assert [fields for _, fields in exchange.interim] == ([answer.interim] if answer.interim else [])
            assert origin.connections == (2 if method == b"HEAD" and kind == "http/1.1" else 1)

    asyncio.run(main())


@pytest.mark.parametrize(("size", "known"), [(0, False), (1, True), (1000, False), (200_000, True), (200_000, False)])
def test_bodies_reach_the_origin(kind: str, size: int, known: bool) -> None:
    """Of known length or not, small and large."""

    async def main() -> None:
        origin = Origin(kind, Answer(length=2, pieces=(b"ok",)))
        async with origin.scene() as stage:
            assert (await stage.post(b"x" * size, known=known)).body == b"ok"
            assert origin.bodies == [b"x" * size]

    asyncio.run(main())


@pytest.mark.parametrize(
    "answer", [Answer(length=10, pieces=(b"half",), cut=True), Answer(pieces=(b"half",), cut=True)]
)
def test_an_answer_that_breaks_off_is_aborted(kind: str, answer: Answer) -> None:
    """Never ended cleanly."""

    async def main() -> None:
        async with Origin(kind, answer).scene() as stage:
            exchange = await stage.get()
            assert (exchange.body, exchange.abort_reason) == (b"half", "upstream-truncated")

    asyncio.run(main())


def test_an_origin_that_is_silent_is_504(kind: str) -> None:
    """After the same time."""

    async def main() -> None:
        origin = Origin(kind, Answer(is_silent=True))
        async with origin.scene() as stage:
            exchange = stage.begin(request_of())
            await until(lambda: bool(origin.bodies))
            await settle()
            stage.pass_time(FIRST_BYTE_TIMEOUT - 1)
            assert not exchange.is_over
            stage.pass_time(FIRST_BYTE_TIMEOUT + 1)
            assert exchange.status == 504

    asyncio.run(main())


def test_an_answer_that_stalls_is_aborted(kind: str) -> None:
    """A body with an announced length, after the same time."""

    async def main() -> None:
        async with Origin(kind, Answer(length=10, pieces=(b"half",), stalls=True)).scene() as stage:
            exchange = stage.begin(request_of())
            await until(lambda: bool(exchange.slices))
            await settle()
            stage.pass_time(UPSTREAM_IDLE_TIMEOUT + 1)
            assert exchange.abort_reason == "upstream-idle-timeout"

    asyncio.run(main())


def test_a_visitor_who_leaves_leaves_nothing_behind(kind: str) -> None:
    """The scene looks at descriptors and deadlines."""

    async def main() -> None:
        origin = Origin(kind, Answer(is_silent=True))
        async with origin.scene() as stage:
            exchange = stage.begin(request_of())
            await until(lambda: bool(origin.bodies))
            exchange.go_away()
            await settle()

    asyncio.run(main())


def test_nobody_at_the_address_is_502(kind: str) -> None:
    """With the same page."""

    async def main() -> None:
        protocol = H2C if kind == "h2c" else "http"
        async with scene(addresses=[UpstreamAddress("127.0.0.1", free_port(), protocol=protocol)]) as stage:
            exchange = await stage.get()
            assert (exchange.status, b"not running" in exchange.body) == (502, True)

    asyncio.run(main())
