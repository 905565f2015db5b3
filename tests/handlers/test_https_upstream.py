"""Origins that speak HTTPS: the proxy between fake exchanges and a real TLS server."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.config.address import UpstreamAddress
from edge.errors import StartError
from edge.net.tls_client import new_client_context
from edge.upstream.upstream import NO_HOLD
from tests.certificates import make_certified_key
from tests.handlers.scenes import MAX_BODY, Scene, request_of
from tests.upstream.origins import Script, ScriptedOrigin, Visit, always_ok, free_port, settle

BIG = 3 * 1024 * 1024


@asynccontextmanager
async def secure(
    tmp_path: Path, script: Script, *names: str, host: str = "localhost", days: float = 30, trusted: bool = True
) -> AsyncIterator[Scene]:
    """A proxy before an origin at `https://HOST`, whose certificate is for `names`."""
    key = make_certified_key(*(names or (host,)), days=days)
    chain, private = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(key.chain)
    private.write_bytes(key.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, private)
    async with ScriptedOrigin(script, tls=context, host=host) as origin:
        stage = Scene([origin.address], [origin], MAX_BODY, NO_HOLD, str(chain) if trusted else "")
        try:
            yield stage
        finally:
            stage.upstream.close()
            await settle()
    assert len(stage.deadlines) == 0


def test_requests_are_answered_over_one_connection(tmp_path: Path) -> None:
    """Also a POST, before which the connection is looked at."""

    async def main() -> None:
        async with secure(tmp_path, always_ok) as stage:
            for _ in range(3):
                assert (await stage.get()).body == b"ok"
            assert (await stage.post(b"x" * 100_000)).status == 200
            assert stage.origin.bodies[-1] == b"x" * 100_000
            assert stage.origin.connections <= 2  # session tickets that wait look like words that nobody asked for

    asyncio.run(main())


def test_the_host_goes_out_as_server_name(tmp_path: Path) -> None:
    """A shared TLS server knows by it which certificate to show."""
    seen: list[str | None] = []

    async def main() -> None:
        async with secure(tmp_path, always_ok, "localhost") as stage:
            context = stage.origin._tls
            assert context
            context.sni_callback = lambda _sock, name, _context: seen.append(name)
            assert (await stage.get()).status == 200

    asyncio.run(main())
    assert seen == ["localhost"]


@pytest.mark.parametrize(
    ("names", "host", "days", "trusted", "word"),
    [
        (("other.test",), "localhost", 30, True, "certificate-for-another-name"),
        (("localhost",), "127.0.0.1", 30, True, "certificate-for-another-address"),
        (("localhost",), "localhost", -0.0001, True, "certificate-expired"),
        (("localhost",), "localhost", 30, False, "certificate-untrusted"),
    ],
)
def test_whoever_cannot_prove_it_gets_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    names: tuple[str, ...],
    host: str,
    days: float,
    trusted: bool,
    word: str,
) -> None:
    """502, not a byte of the request, and a word for the operator."""

    async def main() -> None:
        async with secure(tmp_path, always_ok, *names, host=host, days=days, trusted=trusted) as stage:
            exchange = await stage.get()
            assert exchange.status == 502
            assert stage.origin.heads == []

    asyncio.run(main())
    assert word in capsys.readouterr().out


def test_an_address_may_be_what_is_certified(tmp_path: Path) -> None:
    """RFC 9110 §4.3.5: an IP address in the certificate."""

    async def main() -> None:
        async with secure(tmp_path, always_ok, host="127.0.0.1") as stage:
            assert (await stage.get()).status == 200

    asyncio.run(main())


def test_large_bodies_both_ways(tmp_path: Path) -> None:
    """More than any buffer holds, to a visitor who takes it slowly."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG, bytes(BIG))
        await visit.closed()

    async def main() -> None:
        async with secure(tmp_path, script) as stage:
            exchange = stage.begin(request_of(), capacity=1)
            while not exchange.is_over:
                await asyncio.sleep(0)
                if not exchange.can_send:
                    exchange.take(256 * 1024)
            assert len(exchange.body) == BIG
            assert exchange.is_ended

    asyncio.run(main())


def test_a_cut_line_never_ends_a_body(tmp_path: Path) -> None:
    """A body without a length that ends without TLS's goodbye may have been cut by somebody in between (RFC 9112 §9.8)."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\n\r\npart")
        visit.reset()

    async def main() -> None:
        async with secure(tmp_path, script) as stage:
            exchange = await stage.get()
            assert exchange.abort_reason == "upstream-truncated"

    asyncio.run(main())


def test_an_orderly_end_does(tmp_path: Path) -> None:
    """With a goodbye the body is whole."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\n\r\nall")

    async def main() -> None:
        async with secure(tmp_path, script) as stage:
            exchange = await stage.get()
            assert exchange.body == b"all"
            assert exchange.is_ended

    asyncio.run(main())


def test_a_plain_server_is_a_failure(tmp_path: Path) -> None:
    """It answers a ClientHello with whatever it likes."""

    async def plain(visit: Visit) -> None:
        await visit.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def main() -> None:
        async with ScriptedOrigin(plain) as origin:
            address = UpstreamAddress("localhost", origin.address.port, tls=True)
            stage = Scene([address], [origin], MAX_BODY, NO_HOLD)
            assert (await stage.get()).status == 502
            stage.upstream.close()
            await settle()

    asyncio.run(main())


def test_refused_is_refused(tmp_path: Path) -> None:
    """TLS changes nothing about an origin that is down."""

    async def main() -> None:
        stage = Scene([UpstreamAddress("127.0.0.1", free_port(), tls=True)], [], MAX_BODY, NO_HOLD)
        assert b"not running" in (await stage.get()).body
        stage.upstream.close()
        await settle()

    asyncio.run(main())


def test_roots_that_are_none(tmp_path: Path) -> None:
    """Found at the start."""
    file = tmp_path / "roots.pem"
    file.write_text("nothing")
    for path in (file, tmp_path / "missing.pem"):
        with pytest.raises(StartError, match="roots"):
            new_client_context(str(path))
