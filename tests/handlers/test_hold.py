"""Requests that wait for an origin, between fake exchanges and real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.config.address import UpstreamAddress
from edge.config.schema import Balancing
from edge.handlers.proxy_exchange import GATHER
from edge.upstream import hold, hold_queue
from tests.handlers.scenes import MAX_BODY, Scene, request_of, scene
from tests.upstream.origins import OK, ScriptedOrigin, Visit, always_ok, until


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules do not depend on how long an interval is; tests should not wait for it."""
    monkeypatch.setattr(hold, "PROBE_INTERVAL", 0.01)
    monkeypatch.setattr(hold, "SPREAD_INTERVAL", 0.001)


@asynccontextmanager
async def before_nobody(tmp_path: Path, seconds: float = 10.0) -> AsyncIterator[tuple[Scene, str]]:
    """A proxy before a unix socket that was there once, and its path."""
    path = str(tmp_path / "app.sock")
    async with scene(addresses=[UpstreamAddress(path=path)], balancing=Balancing(hold_seconds=seconds)) as stage:
        await once_up(stage, path)
        yield stage, path


async def once_up(stage: Scene, path: str) -> None:
    """The origin is there for one request, then gone."""
    async with ScriptedOrigin(always_ok, path):
        assert (await stage.get()).status == 200
        for origin in stage.upstream.origins:
            for connection in origin.pool.drain():
                connection.close()
    Path(path).unlink(missing_ok=True)


def test_an_upstream_that_never_was_up_is_not_waited_for(tmp_path: Path) -> None:
    """A restart is worth waiting for; an application that was never started is a mistake, told at once."""

    async def main() -> None:
        path = str(tmp_path / "app.sock")
        async with scene(addresses=[UpstreamAddress(path=path)], balancing=Balancing()) as stage:
            exchange = await stage.get()
            assert exchange.status == 502
            assert exchange.held_seconds == 0

    asyncio.run(main())


def test_waiting_in_vain_is_not_repeated(tmp_path: Path) -> None:
    """Once somebody has waited for nothing, the next are told at once, until the upstream accepts again."""

    async def main() -> None:
        async with before_nobody(tmp_path, seconds=0.05) as (stage, path):
            first, second = await stage.get(), await stage.get()
            assert (first.status, second.status) == (503, 502)
            assert second.held_seconds == 0
            await once_up(stage, path)
            assert (await stage.get()).status == 503

    asyncio.run(main())


def test_requests_wait_and_are_answered(tmp_path: Path) -> None:
    """With and without a body; each knows how long it was held."""

    async def main() -> None:
        async with before_nobody(tmp_path) as (stage, path):
            waiting = [stage.begin(request_of()) for _ in range(10)]
            upload = stage.begin(request_of(b"POST", content_length=3))
            stage.feed(upload, b"abc")
            async with ScriptedOrigin(always_ok, path) as origin:
                for exchange in (*waiting, upload):
                    await stage.finish(exchange)
                    assert exchange.status == 200
                    assert exchange.held_seconds > 0
                assert origin.bodies.count(b"abc") == 1
                assert len(origin.bodies) == 11
                late = await stage.get()
                assert late.held_seconds == 0
                stage.upstream.close()

    asyncio.run(main())


def test_one_connection_asks_for_all(tmp_path: Path) -> None:
    """However many requests wait: counted at the origin, whose first visit serves the first in the queue."""

    async def main() -> None:
        async with before_nobody(tmp_path) as (stage, path):
            first = stage.begin(request_of(target=b"/first"))
            others = [stage.begin(request_of()) for _ in range(5)]
            async with ScriptedOrigin(always_ok, path) as origin:
                await until(lambda: origin.connections > 0)
                assert origin.connections == 1
                await stage.finish(first)
                assert origin.heads[0].startswith(b"GET /first ")
                for exchange in others:
                    await stage.finish(exchange)
                stage.upstream.close()

    asyncio.run(main())


def test_time_is_up(tmp_path: Path) -> None:
    """503 with Retry-After."""

    async def main() -> None:
        async with before_nobody(tmp_path, seconds=0.03) as (stage, _):
            exchange = await stage.get()
            assert exchange.status == 503
            assert exchange.field("retry-after") == "2"
            assert exchange.held_seconds == 0.03

    asyncio.run(main())


def test_who_leaves_is_forgotten(tmp_path: Path) -> None:
    """The origin never hears of it."""

    async def main() -> None:
        async with before_nobody(tmp_path) as (stage, path):
            gone, stays = stage.begin(request_of(target=b"/gone")), stage.begin(request_of(target=b"/stays"))
            gone.go_away()
            async with ScriptedOrigin(always_ok, path) as origin:
                await stage.finish(stays)
                assert [head.split()[1] for head in origin.heads] == [b"/stays"]
                stage.upstream.close()

    asyncio.run(main())


def test_a_full_queue_answers_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded in number; a crowd must not wait in memory without end."""
    monkeypatch.setattr(hold_queue.HoldQueue.__init__, "__defaults__", (2, 1_000_000))

    async def main() -> None:
        async with before_nobody(tmp_path) as (stage, _):
            waiting = [stage.begin(request_of()) for _ in range(2)]
            refused = stage.begin(request_of())
            assert refused.status == 503
            assert not any(exchange.is_over for exchange in waiting)
            for exchange in waiting:
                exchange.go_away()

    asyncio.run(main())


def test_bodies_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits along with a request is bounded too."""
    monkeypatch.setattr(hold_queue.HoldQueue.__init__, "__defaults__", (100, GATHER))

    async def main() -> None:
        async with before_nobody(tmp_path) as (stage, _):
            for _ in range(2):
                exchange = stage.begin(request_of(b"POST", content_length=MAX_BODY))
                stage.feed_until_paused(exchange)
                if exchange.is_over:
                    break
                first = exchange
            assert exchange.status == 503
            first.go_away()

    asyncio.run(main())


def test_let_in_too_early(tmp_path: Path) -> None:
    """An origin that takes one connection and is gone again: the others wait on, in their order."""

    async def main() -> None:
        async with before_nobody(tmp_path) as (stage, path):
            waiting = [stage.begin(request_of(target=b"/%d" % number)) for number in range(4)]
            with socket.socket(socket.AF_UNIX) as brief:
                brief.bind(path)
                brief.listen(0)
                brief.setblocking(False)
                first, _ = await asyncio.get_running_loop().sock_accept(brief)
            Path(path).unlink()
            with first:
                first.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                await stage.finish(waiting[0])
            async with ScriptedOrigin(always_ok, path) as origin:
                for exchange in waiting:
                    await stage.finish(exchange)
                    assert exchange.status == 200
                assert [head.split()[1] for head in origin.heads] == [b"/1", b"/2", b"/3"]
                stage.upstream.close()

    asyncio.run(main())


def test_another_failure_is_told_at_once(tmp_path: Path) -> None:
    """Permission is not what a restart looks like."""
    path = tmp_path / "closed" / "app.sock"
    path.parent.write_text("no directory")  # ENOTDIR, also for root

    async def main() -> None:
        async with scene(addresses=[UpstreamAddress(path=str(path))], balancing=Balancing()) as stage:
            assert (await stage.get()).status == 502

    asyncio.run(main())


def test_who_is_held_follows_an_application_that_moves(tmp_path: Path) -> None:
    """All of them, once each, in their order; and nobody asks at the old place any more."""

    async def main() -> None:
        async with before_nobody(tmp_path) as (stage, path), ScriptedOrigin(always_ok) as new:
            waiting = [stage.begin(request_of(target=b"/%d" % number)) for number in range(4)]
            stage.upstream.move([new.address], "")
            for exchange in waiting:
                assert (await stage.finish(exchange)).status == 200
            assert [head.split()[1] for head in new.heads] == [b"/0", b"/1", b"/2", b"/3"]
            async with ScriptedOrigin(always_ok, path) as old:
                assert (await stage.get()).status == 200
                assert old.connections == 0
            stage.upstream.close()

    asyncio.run(main())


def test_what_has_begun_ends_where_it_began(tmp_path: Path) -> None:
    """A move leaves connections at work alone, also when there is a choice of origins before or behind it."""
    go_on = asyncio.Event()

    async def slow(visit: Visit) -> None:
        await visit.request()
        await go_on.wait()
        await visit.send(OK)

    async def main() -> None:
        async with scene(slow) as stage, ScriptedOrigin(always_ok) as one, ScriptedOrigin(always_ok) as two:
            begun = stage.begin(request_of())
            await until(lambda: len(stage.origin.bodies) == 1)
            stage.upstream.move([one.address, two.address], "")
            assert (await stage.get()).status == (await stage.get()).status == 200
            assert (one.connections, two.connections) == (1, 1)
            go_on.set()
            assert (await stage.finish(begun)).status == 200
            stage.upstream.close()

    asyncio.run(main())


def test_who_is_held_can_be_answered_early(tmp_path: Path) -> None:
    """As if the time were up: the worker is about to end."""

    async def main() -> None:
        async with before_nobody(tmp_path) as (stage, _):
            waiting = [stage.begin(request_of()) for _ in range(3)]
            stage.upstream.give_up_waiting()
            assert [exchange.status for exchange in waiting] == [503] * 3

    asyncio.run(main())
