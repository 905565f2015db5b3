"""Responses that are read ahead of slow visitors: the spool, and the worker that it sets free."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.handlers import response_spool
from edge.handlers.response_spool import ResponseSpool
from tests.fakes import FakeExchange
from tests.handlers.scenes import Scene, request_of, scene
from tests.upstream.origins import Visit, descriptors, settle, until

MIB = 1024 * 1024
BODY = os.urandom(MIB) * 8


def has_room(spool: ResponseSpool) -> bool:
    return spool.has_room  # asked anew: mypy takes an attribute to stay as it was


def is_over(exchange: FakeExchange) -> bool:
    return exchange.is_over


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that little data reaches."""
    monkeypatch.setattr(response_spool, "READ_AHEAD_MEMORY", 100)
    monkeypatch.setattr(response_spool, "MAX_READ_AHEAD", 1000)


@given(st.lists(st.one_of(st.binary(min_size=1, max_size=80), st.just(None)), max_size=60))
def test_what_goes_in_comes_out_in_order(steps: list[bytes | None]) -> None:
    """Through memory and file, however filling and emptying take turns, past the limits too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(response_spool, "READ_AHEAD_MEMORY", 100)
        patch.setattr(response_spool, "MAX_READ_AHEAD", 300)
        spool, put, got = ResponseSpool(), b"", b""
        for step in steps:
            if step is None:
                got += bytes(spool.take())
            else:
                spool.append(step)
                put += step
        while piece := spool.take():
            got += bytes(piece)
        assert got == put
        assert has_room(spool)
        assert ResponseSpool.in_files == 0


@pytest.mark.usefixtures("small")
def test_beyond_the_limit_there_is_no_room_until_all_is_taken() -> None:
    """And what came all the same is kept."""
    spool = ResponseSpool()
    for _ in range(11):
        assert has_room(spool)
        spool.append(bytes(100))
    assert not has_room(spool)
    while spool.take():
        assert not has_room(spool)
    assert has_room(spool)


@pytest.mark.usefixtures("small")
def test_all_spools_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow visitors cannot fill the disk."""
    monkeypatch.setattr(response_spool, "MAX_READ_AHEAD_FILES", 500)
    first, second = ResponseSpool(), ResponseSpool()
    for _ in range(4):
        first.append(bytes(100))
    assert has_room(first)
    for _ in range(3):
        second.append(bytes(100))
    assert not has_room(second)
    first.close()
    second.close()
    assert ResponseSpool.in_files == 0


@pytest.mark.usefixtures("small")
def test_a_full_disk_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the file does not take stays in memory, and there is no more room."""
    spool = ResponseSpool()
    for letter in b"abc":
        spool.append(bytes([letter]) * 80)

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    assert has_room(spool)
    spool.append(b"d" * 80)
    spool.append(b"e" * 80)
    assert not has_room(spool)
    assert b"".join(map(bytes, iter(spool.take, b""))) == b"".join(bytes([letter]) * 80 for letter in b"abcde")


@pytest.mark.usefixtures("small")
def test_no_directory_is_a_full_disk(tmp_path: Path) -> None:
    """Reading ahead is a favour, not a duty."""
    before = descriptors()
    spool = ResponseSpool(str(tmp_path / "absent"))
    spool.append(bytes(200))
    assert not has_room(spool)
    assert spool.take() == bytes(200)
    assert spool.take() == b""
    assert descriptors() == before


# -- in the proxy ---------------------------------------------------------------------------------------------------------


async def send_body(visit: Visit) -> None:
    await visit.request()
    await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY), BODY)
    await visit.closed()


async def send_chunks(visit: Visit) -> None:
    await visit.request()
    await visit.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    await visit.send(b"%x\r\n" % len(BODY), BODY, b"\r\n0\r\n\r\n")
    await visit.closed()


@pytest.mark.parametrize("script", [send_body, send_chunks])
def test_a_slow_visitor_does_not_hold_the_origins_worker(script: Any) -> None:
    """The connection is back in the pool while the visitor has seen next to nothing; then all of it arrives."""

    async def main() -> None:
        async with scene(script) as stage:
            exchange = stage.begin(request_of(), capacity=1000)
            await until(lambda: stage.idle == 1)
            assert len(exchange.body) < MIB
            assert not is_over(exchange)
            while not is_over(exchange):
                exchange.take(50_000)
                await settle()
            assert exchange.is_ended
            assert exchange.body == BODY

    asyncio.run(main())


def test_a_visitor_that_goes_away_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither while the origin sends nor after it is done."""

    async def leave(stage: Scene, when_idle: int) -> None:
        exchange = stage.begin(request_of(), capacity=1000)
        await until(lambda: stage.idle == when_idle and exchange.body != b"" and ResponseSpool.in_files > 0)
        exchange.go_away()
        await settle()
        assert ResponseSpool.in_files == 0

    async def main() -> None:
        async with scene(send_body) as stage:
            await leave(stage, 0)
            await leave(stage, 1)

    asyncio.run(main())


@pytest.mark.usefixtures("small")
def test_beyond_the_limits_the_origin_waits() -> None:
    """Reading goes on when the visitor has caught up."""

    async def main() -> None:
        async with scene(send_body) as stage:
            exchange = stage.begin(request_of(), capacity=1000)
            await until(lambda: len(exchange.body) >= 1000)
            for _ in range(50):
                await settle()
            stage.pass_time(3600)
            assert stage.idle == 0
            assert not is_over(exchange)
            while not is_over(exchange):
                exchange.take(500_000)
                await settle()
            assert exchange.body == BODY

    asyncio.run(main())


def test_an_origin_that_fails_behind_the_visitors_back_aborts() -> None:
    """The visitor must not take half a response for a whole one."""

    async def fail(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY), BODY[:MIB])

    async def main() -> None:
        async with scene(fail) as stage:
            exchange = await stage.finish(stage.begin(request_of(), capacity=1000))
            assert exchange.abort_reason == "upstream-truncated"
            assert ResponseSpool.in_files == 0

    asyncio.run(main())
