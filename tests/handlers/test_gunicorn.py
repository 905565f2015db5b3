"""The proxy in front of real gunicorn, with its sync and its threaded workers, over TCP and over a unix socket."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.config.address import UpstreamAddress
from tests.fakes import FakeExchange
from tests.handlers.scenes import request_of, scene
from tests.upstream.origins import PATIENCE, free_port, until

ROOT = Path(__file__).parent.parent.parent


def wait_until_up(address: UpstreamAddress, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 3 * PATIENCE
    target: Any = address.path or (address.host, address.port)
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket(socket.AF_UNIX if address.path else socket.AF_INET) as probe:
            if probe.connect_ex(target) == 0:
                return
    pytest.fail("gunicorn did not start")


@pytest.fixture(scope="module", params=["sync-tcp", "gthread-unix"])
def gunicorn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpstreamAddress]:
    worker, _, kind = request.param.partition("-")
    directory = tmp_path_factory.mktemp("gunicorn")
    in_file, on_port = UpstreamAddress(path=str(directory / "app.sock")), UpstreamAddress("127.0.0.1", free_port())
    address = in_file if kind == "unix" else on_port
    command = [
        *(sys.executable, "-m", "gunicorn", "--bind", str(address), "--worker-class", worker, "--threads", "4"),
        *("--chdir", str(ROOT), "--worker-tmp-dir", str(directory), "--log-level", "critical", "--no-control-socket"),
        "tests.handlers.wsgi_app",
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            wait_until_up(address, server)
            yield address
        finally:
            os.kill(server.pid, signal.SIGTERM)
            server.wait(PATIENCE)


def saw(exchange: FakeExchange) -> Any:
    assert exchange.status == 200
    return json.loads(exchange.body)


def test_what_an_application_sees(gunicorn: UpstreamAddress) -> None:
    """Scheme, host and address are edge's word; the target is the visitor's, byte for byte."""

    async def main() -> None:
        async with scene(addresses=[gunicorn]) as stage:
            spoofed = ((b"x-forwarded-ssl", b"off"), (b"x-forwarded-proto", b"http"), (b"cookie", b"a=1"))
            exchange = await stage.get(target=b"/echo//%2Fx?y=%20", fields=spoofed)
            answer = saw(exchange)
            assert answer["scheme"] == "https"
            assert answer["host"] == "a.test"
            assert answer["target"] == "/echo//%2Fx?y=%20"
            assert answer["length"] is None
            assert answer["fields"]["HTTP_X_FORWARDED_FOR"] == "192.0.2.1"
            assert answer["fields"]["HTTP_COOKIE"] == "a=1"
            assert answer["fields"]["HTTP_X_REQUEST_ID"] == exchange.request_id
            assert exchange.field("server") is None

    asyncio.run(main())


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("size", [0, 5, 300_000, 1024 * 1024])
def test_bodies_arrive(gunicorn: UpstreamAddress, known: bool, size: int) -> None:
    """Also those of unknown length, which WSGI applications otherwise take for empty."""
    body = bytes(i % 251 for i in range(size))

    async def main() -> None:
        async with scene(addresses=[gunicorn]) as stage:
            exchange = stage.begin(request_of(b"POST", content_length=size if known else None, target=b"/echo"))
            if size or not known:  # a request without a body has no body callbacks
                stage.feed(exchange, body)
            answer = saw(await stage.finish(exchange))
            assert answer["sha256"] == hashlib.sha256(body).hexdigest()
            assert answer["length"] == str(size)

    asyncio.run(main())


def test_many_at_a_time(gunicorn: UpstreamAddress) -> None:
    """More requests than threads wait for their turn in gunicorn, and all are answered."""

    async def main() -> None:
        async with scene(addresses=[gunicorn]) as stage:
            exchanges = [stage.begin(request_of(target=b"/echo?%d" % number)) for number in range(40)]
            await until(lambda: all(exchange.is_over for exchange in exchanges))
            for number, exchange in enumerate(exchanges):
                assert saw(exchange)["target"] == f"/echo?{number}"

    asyncio.run(main())


def test_events_are_not_held_back(gunicorn: UpstreamAddress) -> None:
    """The first event arrives alone."""

    async def main() -> None:
        async with scene(addresses=[gunicorn]) as stage:
            exchange = stage.begin(request_of(target=b"/stream"))
            await until(lambda: bool(exchange.body))
            assert exchange.body == b"data: 1\n\n"
            await stage.finish(exchange)
            assert exchange.body.endswith(b"data: 2\n\n")
            assert exchange.is_ended

    asyncio.run(main())


def test_a_large_response_to_a_slow_visitor(gunicorn: UpstreamAddress) -> None:
    """It arrives whole, and what waits inside edge stays small."""

    async def main() -> None:
        async with scene(addresses=[gunicorn]) as stage:
            exchange = stage.begin(request_of(target=b"/big"), capacity=1)
            while not exchange.is_over:
                await until(lambda: not exchange.can_send or exchange.is_over)
                exchange.take(256 * 1024)
            assert len(exchange.body) == 8 * 1024 * 1024
            assert exchange.is_ended

    asyncio.run(main())


def test_a_truncated_answer_is_aborted(gunicorn: UpstreamAddress) -> None:
    """The application promised more than it sent."""

    async def main() -> None:
        async with scene(addresses=[gunicorn]) as stage:
            exchange = await stage.get(target=b"/truncated")
            assert exchange.abort_reason == "upstream-truncated"

    asyncio.run(main())


def test_an_unread_upload_is_answered(gunicorn: UpstreamAddress) -> None:
    """The application refuses without reading: its answer arrives, although gunicorn closes with bytes unread."""

    async def main() -> None:
        async with scene(addresses=[gunicorn]) as stage:
            exchange = stage.begin(request_of(b"POST", content_length=1024 * 1024, target=b"/unread"))
            sent = 0
            while sent < 1024 * 1024 and not exchange.is_over:
                await until(lambda: not exchange.is_body_paused or exchange.is_over)
                stage.feed(exchange, bytes(32 * 1024), end=False)
                sent += 32 * 1024
            stage.feed(exchange)
            await stage.finish(exchange)
            assert (exchange.status, exchange.body) == (403, b"no")

    asyncio.run(main())


def test_head_and_errors(gunicorn: UpstreamAddress) -> None:
    """HEAD keeps its length and has no body; an application's own 500 passes."""

    async def main() -> None:
        async with scene(addresses=[gunicorn]) as stage:
            exchange = await stage.get(b"HEAD", target=b"/echo")
            assert exchange.head
            assert exchange.head.content_length
            assert exchange.body == b""
            assert (await stage.get(target=b"/raises")).status == 500

    asyncio.run(main())
