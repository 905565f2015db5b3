"""Questions to health paths, and what their answers mean."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from edge.config.schema import Balancing
from edge.http.message import Field, ResponseHead
from edge.upstream import prober
from edge.upstream.diagnosis import advice, is_healthy
from edge.upstream.prober import probe_host
from tests.handlers.scenes import Scene, scene
from tests.upstream.origins import Script, Visit, always_ok, hang, until


@asynccontextmanager
async def probed(script: Script) -> AsyncIterator[Scene]:
    async with scene(script, balancing=Balancing(health="/up", hold_seconds=0)) as stage:
        yield stage


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prober, "INTERVAL", 0.01)
    monkeypatch.setattr(prober, "ANSWER_TIMEOUT", 0.05)


def answering(answer: bytes) -> Script:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(answer)

    return script


def test_the_question_looks_like_a_visitors() -> None:
    """The site's name as Host, https as scheme; again and again."""

    async def main() -> None:
        async with probed(always_ok) as stage:
            await until(lambda: len(stage.origin.heads) >= 3)
            head = stage.origin.heads[0].lower()
            assert head.startswith(b"get /up http/1.1\r\nhost: a.test\r\n")
            assert b"\r\nx-forwarded-proto: https\r\n" in head
            assert not stage.upstream.origins[0].is_avoided(0.0)

    asyncio.run(main())


@pytest.mark.parametrize(
    "script",
    [answering(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"), answering(b"nonsense"), answering(b""), hang],
    ids=["500", "nonsense", "closed", "hangs"],
)
def test_a_sick_origin_is_noticed(script: Script) -> None:
    """By status, by what is no HTTP, by silence; and the connection never outlives the question."""

    async def main() -> None:
        async with probed(script) as stage:
            await until(lambda: stage.upstream.origins[0].is_avoided(0.0))
            assert stage.origin.connections >= 2

    asyncio.run(main())


def test_a_long_body_is_not_waited_for() -> None:
    """The head says it all."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        await visit.closed()

    async def main() -> None:
        async with probed(script) as stage:
            await until(lambda: stage.origin.connections >= 3)
            assert not stage.upstream.origins[0].is_avoided(0.0)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "location", "words"),
    [
        (200, b"", ""),
        (204, b"", ""),
        (400, b"", "ALLOWED_HOSTS"),
        (301, b"https://a.test/up", "SECURE_PROXY_SSL_HEADER"),
        (302, b"https://a.test:443/up", "SECURE_PROXY_SSL_HEADER"),
        (301, b"/up/", "'/up/'"),
        (302, b"/login?next=/up", "redirects elsewhere"),
        (302, b"", "redirects elsewhere"),
        (302, b"\x1b[31m\xff", "redirects elsewhere"),
        (404, b"", "nothing at /up"),
        (403, b"", "login"),
        (429, b"", "2xx"),
        (503, b"", ""),
    ],
)
def test_advice(status: int, location: bytes, words: str) -> None:
    """One sentence with the setting to change; nothing where nothing is wrong or the verdict says it all."""
    fields: tuple[Field, ...] = ((b"location", location),) if location else ()
    sentence = advice(ResponseHead(status, fields, 0), "a.test", "/up")
    assert words in sentence
    assert bool(words) == bool(sentence)
    assert sentence.isprintable()


def test_only_errors_of_the_server_are_sick() -> None:
    """A wrong setting must not take a whole site down that visitors can still use."""
    assert all(is_healthy(status) for status in (200, 301, 400, 403, 404, 429))
    assert not any(is_healthy(status) for status in (500, 502, 503))


def test_hosts_that_are_ours() -> None:
    """A wildcard is no Host."""
    assert probe_host("a.test") == "a.test"
    assert probe_host("*.a.test") == "health.a.test"
    assert probe_host("2001:db8::1") == "[2001:db8::1]"
