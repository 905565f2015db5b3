"""From addresses to socket addresses."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

from edge.config.address import UpstreamAddress
from edge.errors import UpstreamError
from edge.upstream.resolver import Endpoint, Endpoints, Resolver, numeric_endpoints
from tests.upstream.origins import settle


@pytest.mark.parametrize(
    ("address", "endpoint"),
    [
        (UpstreamAddress("127.0.0.1", 8000), Endpoint(socket.AF_INET, ("127.0.0.1", 8000))),
        (UpstreamAddress("::1", 8000), Endpoint(socket.AF_INET6, ("::1", 8000))),
        (UpstreamAddress(path="/run/app.sock"), Endpoint(socket.AF_UNIX, "/run/app.sock")),
    ],
)
def test_numbers_and_paths_need_no_look_up(address: UpstreamAddress, endpoint: Endpoint) -> None:
    """They are answered at once, without a name server."""
    assert numeric_endpoints(address) == (endpoint,)
    assert numeric_endpoints(UpstreamAddress("app", 8000)) == ()


class ScriptedNames:
    """Stands in for the event loop's name look-up and clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.now = 0.0
        self.asked = 0
        self.answer: list[str] | None = ["192.0.2.1", "192.0.2.2"]
        self.says_something = asyncio.Event()
        self.says_something.set()
        self.timers: list[Callable[[], object]] = []

    def time(self) -> float:
        return self.now

    def create_task(self, coroutine: Any) -> Any:
        return self._loop.create_task(coroutine)

    def call_later(self, delay: float, call: Callable[..., object], *arguments: Any) -> asyncio.Handle:
        """A moment that comes when a test calls it."""
        handle = asyncio.Handle(call, arguments, self._loop)
        self.timers.append(lambda: None if handle.cancelled() else call(*arguments))
        return handle

    async def getaddrinfo(self, host: str, port: int, *, type: int) -> list[Any]:  # noqa: A002 — the loop's own parameter
        self.asked += 1
        await asyncio.sleep(0)
        await self.says_something.wait()
        if self.answer is None:
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return [(socket.AF_INET, type, 6, "", (address, port)) for address in self.answer]


NAME = UpstreamAddress("app", 8000)
BOTH = (Endpoint(socket.AF_INET, ("192.0.2.1", 8000)), Endpoint(socket.AF_INET, ("192.0.2.2", 8000)))


def test_a_name_is_looked_up_once_and_kept_for_a_while() -> None:
    """Requests that wait share one look-up; five seconds later there is another."""

    async def main() -> None:
        names = ScriptedNames(asyncio.get_running_loop())
        resolver = Resolver(names)  # type: ignore[arg-type]  # the three methods that it uses
        answers: list[Endpoints | UpstreamError] = []
        resolver.resolve(NAME, answers.append)
        resolver.resolve(NAME, answers.append)
        await settle()
        assert answers == [BOTH, BOTH]
        resolver.resolve(NAME, answers.append)
        assert answers == [BOTH, BOTH, BOTH]
        names.now = 5.1
        resolver.resolve(NAME, answers.append)
        await settle()
        assert names.asked == 2

    asyncio.run(main())


def test_a_silent_name_server_does_not_take_a_known_name_away() -> None:
    """Whoever waits gets the last good answer after a moment, whoever comes later at once; the late answer counts again."""

    async def main() -> None:
        names = ScriptedNames(asyncio.get_running_loop())
        resolver = Resolver(names)  # type: ignore[arg-type]  # the methods that it uses
        answers: list[Endpoints | UpstreamError] = []
        resolver.resolve(NAME, answers.append)
        await settle()
        names.now = 6.0
        names.says_something.clear()
        resolver.resolve(NAME, answers.append)
        resolver.resolve(UpstreamAddress("never", 1), answers.append)
        await settle()
        assert answers == [BOTH]
        for passes in names.timers:
            passes()
        assert answers == [BOTH] * 2
        resolver.resolve(NAME, answers.append)
        assert answers == [BOTH] * 3
        names.answer = ["192.0.2.1"]
        names.says_something.set()
        await settle()
        resolver.resolve(NAME, answers.append)
        assert answers[3:] == [(Endpoint(socket.AF_INET, ("192.0.2.1", 1)),), BOTH[:1]]
        assert names.asked == 3

    asyncio.run(main())


def test_a_failing_name_server_does_not_take_a_known_name_away() -> None:
    """The last good answer is used again; a name that was never known is an error."""

    async def main() -> None:
        names = ScriptedNames(asyncio.get_running_loop())
        resolver = Resolver(names)  # type: ignore[arg-type]  # the three methods that it uses
        answers: list[Endpoints | UpstreamError] = []
        resolver.resolve(NAME, answers.append)
        await settle()
        names.now, names.answer = 60.0, None
        resolver.resolve(NAME, answers.append)
        resolver.resolve(UpstreamAddress("never", 1), answers.append)
        await settle()
        assert answers[1] == BOTH
        assert isinstance(answers[2], UpstreamError)
        assert answers[2].reason == "upstream-name-unknown"

    asyncio.run(main())


def test_close_gives_up_look_ups() -> None:
    """Nobody is called afterwards."""

    async def main() -> None:
        names = ScriptedNames(asyncio.get_running_loop())
        resolver = Resolver(names)  # type: ignore[arg-type]  # the three methods that it uses
        answers: list[Endpoints | UpstreamError] = []
        resolver.resolve(NAME, answers.append)
        resolver.close()
        await settle()
        assert answers == []

    asyncio.run(main())
