"""Which requests go out again, and to whom."""

from __future__ import annotations

import asyncio

import pytest

from edge.config.schema import Balancing
from edge.handlers.proxy_exchange import MAX_RETRIES
from edge.upstream.health import MAX_BAD_ANSWERS
from tests.handlers.scenes import request_of, scene
from tests.upstream.origins import OK, Visit, always_ok, until


async def closes(visit: Visit) -> None:
    """Reads the request and closes without an answer: a worker that was killed."""
    await visit.request()


@pytest.mark.parametrize("method", [b"GET", b"PUT"])
def test_another_origin_answers_instead(method: bytes) -> None:
    """A fresh connection that ends without an answer: what is safe to repeat is asked of the other one."""

    async def main() -> None:
        async with scene(closes, always_ok) as stage:
            for _ in range(4):
                exchange = await (stage.post(b"x", method) if method == b"PUT" else stage.get(method))
                assert exchange.status == 200

    asyncio.run(main())


def test_a_post_is_not_repeated_anywhere() -> None:
    """Its origin may have done the work."""

    async def main() -> None:
        async with scene(closes, always_ok) as stage:
            assert [(await stage.post(b"pay")).status for _ in range(2)] == [502, 200]
            assert [len(origin.heads) for origin in stage.origins] == [1, 1]

    asyncio.run(main())


def test_a_request_that_kills_is_not_passed_on_for_ever() -> None:
    """At most MAX_RETRIES further origins meet it."""

    async def main() -> None:
        async with scene(*[closes] * 6) as stage:
            assert (await stage.get()).status == 502
            assert sum(len(origin.heads) for origin in stage.origins) == 1 + MAX_RETRIES

    asyncio.run(main())


def test_an_origin_that_keeps_failing_is_avoided() -> None:
    """Answers 503 again and again: the others get its share, and its 503s were passed on as they were."""

    async def overloaded(visit: Visit) -> None:
        while True:
            await visit.request()
            await visit.send(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")

    async def main() -> None:
        async with scene(overloaded, always_ok) as stage:
            statuses = [(await stage.get()).status for _ in range(2 * MAX_BAD_ANSWERS + 10)]
            assert statuses.count(503) == MAX_BAD_ANSWERS
            assert set(statuses[2 * MAX_BAD_ANSWERS :]) == {200}

    asyncio.run(main())


def test_least_connections_looks_at_what_is_under_way() -> None:
    """A request that takes long keeps others away from its origin."""

    async def main() -> None:
        may_answer = asyncio.Event()

        async def slow(visit: Visit) -> None:
            await visit.request()
            await may_answer.wait()
            await visit.send(OK)

        async with scene(slow, always_ok, balancing=Balancing(policy="least_connections", hold_seconds=0)) as stage:
            first = stage.begin(request_of())
            await until(lambda: len(stage.origins[0].heads) == 1)
            for _ in range(5):
                assert (await stage.get()).status == 200
            assert [len(origin.heads) for origin in stage.origins] == [1, 5]
            may_answer.set()
            await stage.finish(first)

    asyncio.run(main())
