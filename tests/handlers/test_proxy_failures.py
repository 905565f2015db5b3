"""Origins that are down, slow, or do not speak HTTP."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from edge.config.address import UpstreamAddress
from edge.handlers.proxy_exchange import GATHER, MAX_RETRIES
from edge.http.limits import SPOOL_MEMORY
from edge.upstream import connect
from edge.upstream.pool import IdlePool
from tests.handlers.scenes import Scene, request_of, scene
from tests.upstream.origins import OK, ScriptedOrigin, Visit, always_ok, free_port, hang, settle, until


def test_a_refused_connection_is_502_at_once() -> None:
    """The page says what happened, tells the request id, and not where the origin is."""

    async def main() -> None:
        port = free_port()
        async with scene(addresses=[UpstreamAddress("127.0.0.1", port)]) as stage:
            exchange = await stage.get()
            assert exchange.status == 502
            assert exchange.request_id.encode() in exchange.body
            assert str(port).encode() not in exchange.body
            assert exchange.upstream_seconds < 0

    asyncio.run(main())


def test_a_missing_unix_socket_is_502(tmp_path: Path) -> None:
    """No socket file means the application does not run."""

    async def main() -> None:
        async with scene(addresses=[UpstreamAddress(path=str(tmp_path / "gone.sock"))]) as stage:
            assert (await stage.get()).status == 502

    asyncio.run(main())


def test_a_unix_socket_works(tmp_path: Path) -> None:
    """Requests over a unix socket are pooled as well."""

    async def main() -> None:
        async with ScriptedOrigin(always_ok, str(tmp_path / "app.sock")) as origin:
            async with scene(addresses=[origin.address]) as stage:
                assert (await stage.get()).body == b"ok"
                assert (await stage.get()).body == b"ok"
                stage.upstream.close()
                await settle()
            assert origin.connections == 1

    asyncio.run(main())


def test_a_full_backlog_is_waited_for(tmp_path: Path) -> None:
    """A unix socket whose backlog is full refuses at once; edge asks again until the time is up, then says 503."""
    path = str(tmp_path / "busy.sock")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
            busy.bind(path)
            busy.listen(0)
            busy.setblocking(False)
            first.connect(path)
            async with scene(addresses=[UpstreamAddress(path=path)]) as stage:
                late = stage.begin(request_of())
                await settle()
                assert not late.is_over
                stage.pass_time(3.1)
                assert late.status == 503
                exchange = stage.begin(request_of())
                busy.accept()[0].close()
                edge, _ = await loop.sock_accept(busy)
                with edge:
                    await loop.sock_sendall(edge, OK)
                    await stage.finish(exchange)
                assert exchange.body == b"ok"

    asyncio.run(main())


def test_an_origin_that_does_not_accept_is_504() -> None:
    """CONNECT_TIMEOUT bounds the whole search for a connection."""

    async def main() -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(0)
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(silent.getsockname())
            await settle()
            async with scene(addresses=[UpstreamAddress("127.0.0.1", silent.getsockname()[1])]) as stage:
                exchange = stage.begin(request_of())
                await settle()
                assert not exchange.is_over
                stage.pass_time(3.1)
                assert exchange.status == 504
            for filler in fillers:
                filler.close()

    asyncio.run(main())


def test_a_name_that_does_not_exist_is_502() -> None:
    """A host name is looked up in the background; when there is none the page says so."""

    async def main() -> None:
        async with scene(addresses=[UpstreamAddress("no-such-host.invalid", 8000)]) as stage:
            exchange = await stage.get()
            assert exchange.status == 502
            assert b"cannot be found" in exchange.body

    asyncio.run(main())


def named(origin: ScriptedOrigin) -> AbstractAsyncContextManager[Scene]:
    """A scene that knows the origin by a name with several addresses."""
    return scene(addresses=[UpstreamAddress("localhost", origin.address.port)])


def test_every_address_of_a_name_is_tried() -> None:
    """`localhost` is also ::1, where nobody listens."""

    async def main() -> None:
        async with ScriptedOrigin(always_ok) as origin, named(origin) as stage:
            assert (await stage.get()).body == b"ok"
            assert (await stage.get()).body == b"ok"

    asyncio.run(main())


def test_a_visitor_who_leaves_while_a_name_is_looked_up_is_forgotten() -> None:
    """The look-up goes on for others; no connection is opened for nobody."""

    async def main() -> None:
        async with ScriptedOrigin(always_ok) as origin, named(origin) as stage:
            exchange = stage.begin(request_of())
            assert exchange.receiver
            exchange.receiver.exchange_aborted("client-gone")
            await until(lambda: not stage.upstream._resolver._tasks)
            await settle()
            assert origin.connections == 0

    asyncio.run(main())


def test_no_descriptor_left_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own shortage is not the origin's fault, and passes: Retry-After."""

    def refuse(family: int) -> socket.socket:
        raise OSError(errno.EMFILE, "too many open files")

    async def main() -> None:
        async with scene(always_ok) as stage:
            monkeypatch.setattr(connect, "_new_socket", refuse)
            exchange = await stage.get()
            assert exchange.status == 503
            assert exchange.field("retry-after")
            monkeypatch.undo()
            assert (await stage.get()).status == 200

    asyncio.run(main())


def test_a_silent_origin_is_504() -> None:
    """No first byte within FIRST_BYTE_TIMEOUT of the request's end."""

    async def main() -> None:
        async with scene(hang) as stage:
            exchange = stage.begin(request_of())
            await until(lambda: len(stage.origin.bodies) == 1)
            stage.pass_time(59)
            assert not exchange.is_over
            stage.pass_time(61)
            assert exchange.status == 504

    asyncio.run(main())


def test_a_slow_upload_is_not_the_origins_fault() -> None:
    """The first-byte time does not run while the visitor still sends."""

    async def main() -> None:
        async with scene(always_ok) as stage:
            exchange = stage.begin(request_of(b"POST", content_length=GATHER + 1))
            stage.feed(exchange, bytes(GATHER), end=False)
            await until(lambda: len(stage.origin.heads) == 1)
            stage.pass_time(3600)
            assert not exchange.is_over
            stage.feed(exchange, b"1")
            assert (await stage.finish(exchange)).status == 200

    asyncio.run(main())


def test_an_origin_that_stops_reading_is_504() -> None:
    """Request bytes that do not move for FIRST_BYTE_TIMEOUT."""

    async def script(visit: Visit) -> None:
        await visit.head()
        await stop.wait()

    stop = asyncio.Event()

    async def main() -> None:
        async with scene(script, max_body=64 * 1024 * 1024) as stage:
            exchange = stage.begin(request_of(b"POST", content_length=64 * 1024 * 1024))
            stage.feed(exchange, bytes(GATHER), end=False)
            await until(lambda: not exchange.is_body_paused)
            stage.feed_until_paused(exchange)
            stage.pass_time(61)
            assert exchange.status == 504
            stop.set()

    asyncio.run(main())


def test_a_body_that_stops_is_aborted() -> None:
    """UPSTREAM_IDLE_TIMEOUT between two reads of a body that has a length."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01")
        await visit.closed()

    async def main() -> None:
        async with scene(script) as stage:
            exchange = stage.begin(request_of())
            await until(lambda: exchange.body == b"01")
            stage.pass_time(61)
            assert exchange.abort_reason == "upstream-idle-timeout"
            await settle()

    asyncio.run(main())


GARBAGE = {
    "not-http": b"\x15\x03\x01\x00\x02\x02\x0a",
    "two-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "length-and-chunked": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
    "bare-cr": b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n",
    "nul": b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
    "switching": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "flood": b"HTTP/1.1 102 Processing\r\n\r\n" * 100 + OK,
    "huge-head": b"HTTP/1.1 200 OK\r\n" + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
    "bad-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE.keys())
def test_what_is_not_http_is_502(answer: bytes) -> None:
    """A response that breaks the protocol never reaches the visitor as if it were one, and its connection goes."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(answer)
        await visit.closed()

    async def main() -> None:
        async with scene(script) as stage:
            exchange = await stage.get()
            assert exchange.status == 502 or exchange.abort_reason
            assert stage.idle == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\nzz\r\n",
    ],
)
@pytest.mark.parametrize("reset", [True, False])
def test_a_truncated_response_never_ends_cleanly(answer: bytes, reset: bool) -> None:
    """The visitor sees that the body is not whole."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(answer)
        if reset:
            visit.reset()

    async def main() -> None:
        async with scene(script) as stage:
            exchange = await stage.get()
            assert not exchange.is_ended
            assert exchange.abort_reason in ("upstream-truncated", "upstream-protocol")
            assert stage.idle == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    ("reset", "answer", "connections"),
    [(False, b"", 1), (False, b"HTTP/1.1 20", 1), (True, b"HTTP/1.1 20", 1), (True, b"", 1 + MAX_RETRIES)],
)
def test_a_connection_that_ends_before_the_head_is_502(reset: bool, answer: bytes, connections: int) -> None:
    """uWSGI closes when an application raises, and the only origin is not asked again; a reset before any byte is what the
    backlog of a stopping origin gives, and is worth another try."""

    async def script(visit: Visit) -> None:
        await visit.request()
        if answer:
            await visit.send(answer)
        if reset:
            visit.reset()

    async def main() -> None:
        async with scene(script) as stage:
            assert (await stage.get()).status == 502
            assert stage.origin.connections == connections

    asyncio.run(main())


async def stale(visit: Visit) -> None:
    """Answers once per connection; the second request on it meets a closed door."""
    await visit.request()
    await visit.send(OK)
    await visit.head()


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"PUT", b"DELETE"])
def test_a_stale_connection_is_retried_once(method: bytes) -> None:
    """A pooled connection that closes before any byte of the response: the request goes over a fresh one."""

    async def main() -> None:
        async with scene(stale) as stage:
            await stage.get()
            body = b"x" if method == b"PUT" else b""
            exchange = await (stage.post(body, method) if body else stage.get(method))
            assert exchange.status == 200
            assert stage.origin.connections == 2

    asyncio.run(main())


@pytest.mark.parametrize("size", [GATHER, SPOOL_MEMORY * 2])
def test_a_spooled_body_is_sent_again(size: int) -> None:
    """A retry begins the body anew, from memory or from its file."""
    body = bytes(i % 251 for i in range(size))

    async def main() -> None:
        async with scene(stale) as stage:
            await stage.get()
            exchange = await stage.post(body, b"PUT", known=False)
            assert exchange.status == 200
            assert stage.origin.bodies[-1] == body

    asyncio.run(main())


def test_a_post_is_never_sent_twice() -> None:
    """A killed worker looks like a stale connection, and a payment must not be made twice: 502 (RFC 9110 §9.2.2)."""

    async def main() -> None:
        async with scene(stale) as stage:
            await stage.get()
            exchange = await stage.post(b"pay")
            assert exchange.status == 502
            assert stage.origin.connections == 1
            assert len(stage.origin.heads) == 2

    asyncio.run(main())


def test_a_post_does_not_use_a_connection_that_has_ended() -> None:
    """Before a request that cannot be retried the kernel is asked whether the origin has closed."""

    async def main() -> None:
        async with scene(always_ok) as stage:
            await stage.get()
            pool = stage.upstream.origins[0].pool
            assert isinstance(pool, IdlePool)
            (connection,) = pool._idle
            assert connection._stream
            connection._stream.sock.shutdown(socket.SHUT_RD)  # what the kernel knows after a FIN
            assert (await stage.post(b"pay")).status == 200
            assert stage.origin.connections == 2

    asyncio.run(main())


def test_bytes_that_nobody_asked_for_end_the_connection() -> None:
    """An origin that speaks between requests is not trusted with the next one."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(OK, b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
        await visit.closed()

    async def main() -> None:
        async with scene(script) as stage:
            assert (await stage.get()).body == b"ok"
            await settle()
            assert stage.idle == 0

    asyncio.run(main())


def test_bytes_behind_a_response_end_the_connection() -> None:
    """Also when they come in the same read."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(OK + OK)
        await visit.closed()

    async def main() -> None:
        async with scene(script) as stage:
            assert (await stage.get()).body == b"ok"
            assert stage.idle == 0

    asyncio.run(main())


def test_another_origin_takes_over() -> None:
    """With several origins a refusal costs nothing: the next one is asked, and the refusing one comes last for a while."""

    async def main() -> None:
        dead = UpstreamAddress("127.0.0.1", free_port())
        async with scene(always_ok, addresses=[dead]) as stage:
            for _ in range(6):
                assert (await stage.get()).status == 200
                await settle()
            assert stage.upstream.origins[1].is_avoided(stage.loop.time()) or stage.origin.connections == 1

    asyncio.run(main())


def test_origins_take_turns() -> None:
    """Two healthy origins get the same number of requests."""

    async def main() -> None:
        async with scene(always_ok, always_ok) as stage:
            for _ in range(8):
                await stage.get()
            assert [len(origin.heads) for origin in stage.origins] == [4, 4]

    asyncio.run(main())
