"""One suite for byte streams: plain and TLS, against a real client on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from edge.net.socket_stream import SocketStream
from edge.net.tls_stream import TLSStream
from edge.tls.contexts import new_base_context
from edge.tls.selector import Selector
from tests.certificates import make_certified_key

CERTIFIED_KEY = make_certified_key("a.test")
MEGABYTES = bytes(range(256)) * 4096 * 8


class Listener:
    """Writes down what a stream tells it."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.events: list[str] = []
        self.changed = asyncio.Event()
        self.drained = 0

    def note(self, event: str) -> None:
        self.events.append(event)
        self.changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def stream_opened(self) -> None:
        self.note("opened")

    def data_received(self, data: bytes) -> None:
        assert data
        self.received += data
        self.changed.set()

    def eof_received(self) -> None:
        self.note("eof")

    def stream_drained(self) -> None:
        self.note("drained")

    def stream_lost(self, reason: str) -> None:
        self.note(f"lost {reason}".strip())


class Pair:
    """A stream of ours and the client at its other end."""

    def __init__(self, stream: SocketStream, listener: Listener) -> None:
        self.stream = stream
        self.listener = listener
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter


@asynccontextmanager
async def connected(kind: str) -> AsyncIterator[Pair]:
    loop = asyncio.get_running_loop()
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    selector = Selector(new_base_context(), "a.test")
    selector.replace(CERTIFIED_KEY)
    context = None
    if kind == "tls":
        context = ssl.create_default_context(cadata=CERTIFIED_KEY.chain.decode())
    connecting = asyncio.create_task(
        asyncio.open_connection(
            *listening.getsockname(), ssl=context, server_hostname="a.test" if context else None, limit=1 << 25
        )
    )
    sock, _ = await loop.sock_accept(listening)
    listening.close()
    sock.setblocking(False)
    listener = Listener()
    stream = TLSStream(sock, listener, loop, selector.base) if context else SocketStream(sock, listener, loop)
    stream.start()
    pair = Pair(stream, listener)
    pair.reader, pair.writer = await connecting
    await listener.until(lambda: "opened" in listener.events)
    try:
        yield pair
    finally:
        stream.abort()
        pair.writer.transport.abort()
        with contextlib.suppress(OSError):
            await pair.writer.wait_closed()


def run(kind: str, scenario: Callable[[Pair], Awaitable[None]]) -> None:
    async def main() -> None:
        async with connected(kind) as pair:
            await scenario(pair)

    asyncio.run(main())


KINDS = pytest.mark.parametrize("kind", ["plain", "tls"])


@KINDS
def test_bytes_arrive_in_order(kind: str) -> None:
    """What the client sends is delivered whole and in order."""

    async def scenario(pair: Pair) -> None:
        pair.writer.write(MEGABYTES)
        await pair.listener.until(lambda: len(pair.listener.received) == len(MEGABYTES))
        assert pair.listener.received == MEGABYTES

    run(kind, scenario)


@KINDS
def test_more_than_the_socket_takes_is_kept_and_announced(kind: str) -> None:
    """`write` returns False, `unsent` counts, `stream_drained` follows, nothing is lost or reordered."""

    async def scenario(pair: Pair) -> None:
        assert not pair.stream.write(MEGABYTES)
        assert pair.stream.unsent > 0
        assert not pair.stream.write(b"the end")
        assert await pair.reader.readexactly(len(MEGABYTES) + 7) == MEGABYTES + b"the end"
        await pair.listener.until(lambda: "drained" in pair.listener.events)
        assert pair.stream.unsent == 0
        assert pair.stream.write(b"small")

    run(kind, scenario)


@KINDS
def test_a_paused_stream_delivers_nothing(kind: str) -> None:
    """Between `pause_reading` and `resume_reading` there is no `data_received`."""

    async def scenario(pair: Pair) -> None:
        pair.stream.pause_reading()
        pair.writer.write(b"hello")
        await pair.writer.drain()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not pair.listener.received
        pair.stream.resume_reading()
        await pair.listener.until(lambda: pair.listener.received == b"hello")

    run(kind, scenario)


@KINDS
def test_close_sends_what_is_left(kind: str) -> None:
    """An orderly close loses no byte; the client sees a clean end; `stream_lost` comes once, last, without a reason."""

    async def scenario(pair: Pair) -> None:
        pair.stream.write(MEGABYTES)
        pair.stream.close()
        assert await pair.reader.read() == MEGABYTES
        await pair.listener.until(lambda: "lost" in pair.listener.events)
        assert pair.listener.events[-1] == "lost"
        assert pair.listener.events.count("lost") == 1

    run(kind, scenario)


@KINDS
def test_a_lingering_close_waits_for_the_client(kind: str) -> None:
    """With `linger`, input is read and thrown away until the client closes, so that no reset destroys the answer."""

    async def scenario(pair: Pair) -> None:
        pair.stream.write(b"answer")
        pair.stream.close(linger=True)
        pair.writer.write(b"x" * 100_000)
        assert await pair.reader.read() == b"answer"
        assert not pair.listener.received
        pair.writer.close()
        await pair.listener.until(lambda: "lost" in pair.listener.events)

    run(kind, scenario)


@KINDS
def test_the_clients_end_is_told_once(kind: str) -> None:
    """`eof_received`, while writing still works."""

    async def scenario(pair: Pair) -> None:
        if kind == "tls":
            pair.writer.close()
        else:
            pair.writer.write_eof()
        await pair.listener.until(lambda: "eof" in pair.listener.events)
        assert pair.listener.events.count("eof") == 1
        pair.stream.close()
        await pair.listener.until(lambda: pair.listener.events[-1].startswith("lost"))

    run(kind, scenario)


@KINDS
def test_abort_is_immediate_and_visible(kind: str) -> None:
    """The client sees a reset, not a clean end; `stream_lost` says why."""

    async def scenario(pair: Pair) -> None:
        pair.stream.abort()
        assert pair.listener.events[-1] == "lost aborted"
        with pytest.raises(ConnectionError):
            await pair.reader.read()

    run(kind, scenario)


@KINDS
def test_a_client_that_vanishes_loses_the_stream(kind: str) -> None:
    """Writing to a dead peer ends in `stream_lost`, from the loop and never from inside `write`."""

    async def scenario(pair: Pair) -> None:
        pair.stream.pause_reading()
        pair.writer.transport.abort()
        while not any(event.startswith("lost") for event in pair.listener.events):
            before = len(pair.listener.events)
            pair.stream.write(b"x" * 65536)
            assert len(pair.listener.events) == before
            await asyncio.sleep(0)

    run(kind, scenario)


def test_connecting_where_nobody_listens_is_refused() -> None:
    """`begin_connect` ends in `stream_lost` with the constant word for the errno."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as unused:
            address = unused.getsockname()
        sock = socket.socket()
        sock.setblocking(False)
        listener = Listener()
        SocketStream(sock, listener, loop).begin_connect(address)
        await listener.until(lambda: bool(listener.events))
        assert listener.events == ["lost refused"]
        unix = socket.socket(socket.AF_UNIX)
        unix.setblocking(False)
        listener = Listener()
        SocketStream(unix, listener, loop).begin_connect("/nonexistent/socket")
        assert listener.events == ["lost no-such-socket"]

    asyncio.run(main())


def test_a_handshake_with_nonsense_fails() -> None:
    """Plain HTTP on the TLS port loses the stream; the peer's bytes are in no reason."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        listener = Listener()
        TLSStream(ours, listener, loop, new_base_context()).start()
        theirs.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        await listener.until(lambda: bool(listener.events))
        assert listener.events == ["lost handshake-failed"]
        theirs.close()

    asyncio.run(main())


@pytest.mark.parametrize("size", [0, len(MEGABYTES)])
def test_ending_the_output_leaves_the_input_open(size: int) -> None:
    """Everything written arrives, then the end; what the peer says afterwards is still heard."""

    async def scenario(pair: Pair) -> None:
        drained = pair.stream.write(MEGABYTES[:size])
        assert drained is (size == 0)
        pair.stream.end_output()
        assert await pair.reader.read() == MEGABYTES[:size]
        pair.writer.write(b"answer")
        await pair.listener.until(lambda: pair.listener.received == b"answer")
        assert not any(event.startswith("lost") for event in pair.listener.events)

    run("plain", scenario)


@pytest.mark.parametrize("kind", ["plain", "tls"])
def test_a_stream_can_be_kept_alive(kind: str) -> None:
    """The kernel asks for the peer within two minutes of silence."""

    async def scenario(pair: Pair) -> None:
        pair.stream.keep_alive()
        sock = pair.stream.sock
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle, interval, probes = (
            sock.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        assert idle + interval * probes <= 120

    run(kind, scenario)


class Broken(Listener):
    """Has a bug."""

    def data_received(self, data: bytes) -> None:
        raise ZeroDivisionError


@KINDS
def test_a_bug_in_a_listener_ends_its_connection(kind: str) -> None:
    """At once, and the loop hears of it: the peer would wait for ever."""

    async def scene() -> None:
        problems: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context.get("exception")))
        async with connected(kind) as pair:
            pair.stream.listener = broken = Broken()
            pair.writer.write(b"hello")
            await broken.until(lambda: "lost aborted" in broken.events)
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                assert await pair.reader.read() == b""
        assert [type(each) for each in problems] == [ZeroDivisionError]

    asyncio.run(scene())


@KINDS
def test_a_lost_stream_lets_go_of_its_descriptor(kind: str) -> None:
    """What was still to be done for it must not touch the connection that gets the number next."""

    async def scenario(pair: Pair) -> None:
        loop = asyncio.get_running_loop()
        here, there = socket.socketpair()
        number = pair.stream.sock.fileno()
        pair.stream.sock.shutdown(socket.SHUT_WR)
        pair.stream.write(b"x")  # fails, which is told in the loop's next turn
        pair.stream.abort()
        os.dup2(here.fileno(), number)
        heard = asyncio.Event()
        loop.add_reader(number, heard.set)
        try:
            there.send(b"hello")
            await asyncio.wait_for(heard.wait(), 2)
        finally:
            loop.remove_reader(number)
            os.close(number)
            here.close()
            there.close()

    run(kind, scenario)
