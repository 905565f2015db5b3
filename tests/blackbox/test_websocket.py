"""WebSockets through edge: real clients, a real uvicorn, over HTTP/1.1 and over HTTP/2 with both engines."""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.http2_client import HTTP2Client, HTTP2Stream
from tests.blackbox.uvicorn_process import UvicornProcess

APPLICATION = "tests.blackbox.socket_app:application"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def application() -> Iterator[UvicornProcess]:
    with UvicornProcess(APPLICATION) as uvicorn:
        yield uvicorn


@pytest.fixture(scope="module", params=["h2", "ngh2"])
def edge(
    request: pytest.FixtureRequest, application: UvicornProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EdgeProcess]:
    flags = ("--upstream", application.address, "--http2-engine", request.param)
    with EdgeProcess(tmp_path_factory.mktemp("edge"), *flags, workers=1) as process:
        yield process.wait_trusted()


def trust(edge: EdgeProcess) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=edge.root)


def dial(edge: EdgeProcess, path: str, **more: object) -> connect:
    """The `websockets` client; no compression, so that sizes mean something."""
    url = f"wss://localhost:{edge.https_port}{path}"
    options = {"proxy": None, "compression": None, "max_size": 64 * MIB, **more}
    return connect(url, ssl=trust(edge), **options)  # type: ignore[arg-type]  # the client's own keywords


class Socket:
    """A WebSocket over an HTTP/2 stream: the frames of the `websockets` package, carried by ours."""

    def __init__(self, stream: HTTP2Stream) -> None:
        self.stream = stream
        self._protocol = ClientProtocol(parse_uri("wss://localhost/"), state=OPEN, max_size=64 * MIB)
        self._position = 0
        self._frames: list[Frame] = []

    async def send(self, message: str) -> None:
        self._protocol.send_text(message.encode())
        await self._flush()

    async def close(self, code: int) -> None:
        self._protocol.send_close(code)
        await self._flush()

    async def _flush(self) -> None:
        await self.stream.send(b"".join(self._protocol.data_to_send()))

    async def receive(self) -> Frame:
        """The next frame."""
        while not self._frames:
            await self.stream.until(lambda: len(self.stream.body) > self._position or self.stream.is_over)
            assert len(self.stream.body) > self._position, "the stream has ended"
            self._protocol.receive_data(bytes(self.stream.body[self._position :]))
            self._position = len(self.stream.body)
            self._frames += [event for event in self._protocol.events_received() if isinstance(event, Frame)]
        return self._frames.pop(0)


def test_what_the_application_sees(edge: EdgeProcess) -> None:
    """Path, subprotocol, scheme and client as with any request; edge adds nothing that a client would stumble over."""

    async def main() -> None:
        async with dial(edge, "/scope", subprotocols=["chat", "other"]) as ws:
            said = await ws.recv()
            assert ws.subprotocol == "chat"
            assert ws.response is not None
            assert ws.response.headers["x-request-id"]
        assert isinstance(said, str)
        assert said.startswith("/scope host=localhost:")
        assert said.endswith("x-forwarded-proto=https x-forwarded-for=127.0.0.1 connection=upgrade upgrade=websocket")

    asyncio.run(main())


def test_compression_is_between_the_two_ends(edge: EdgeProcess) -> None:
    """Extensions are agreed on end to end."""

    async def main() -> None:
        async with dial(edge, "/", compression="deflate") as ws:
            assert ws.response is not None
            assert "permessage-deflate" in ws.response.headers["sec-websocket-extensions"]
            await ws.send("a" * 10_000)
            assert await ws.recv() == "a" * 10_000

    asyncio.run(main())


def test_messages_come_back_in_order(edge: EdgeProcess) -> None:
    """Small ones, many at once, text and binary, pings included."""

    async def main() -> None:
        async with dial(edge, "/") as ws:
            for number in range(500):
                await ws.send(str(number))
            assert [await ws.recv() for _ in range(500)] == [str(number) for number in range(500)]
            await ws.send(b"\x00\xff")
            assert await ws.recv() == b"\x00\xff"
            await (await ws.ping())

    asyncio.run(main())


def test_large_messages_leave_no_memory_behind(edge: EdgeProcess) -> None:
    """10 MiB both ways, again and again: what is in between is bounded."""

    async def main() -> list[int]:
        sizes = []
        async with dial(edge, "/") as ws:
            for _ in range(6):
                message = bytes(10 * MIB)
                received, _ = await asyncio.gather(ws.recv(), ws.send(message))
                assert received == message
                sizes.append(edge.memory())
        return sizes

    sizes = asyncio.run(main())
    assert max(sizes[1:]) < sizes[0] + 4 * MIB


def test_a_slow_reader_costs_edge_nothing(edge: EdgeProcess) -> None:
    """What a client does not take stays with the application, and arrives when it does."""

    async def main() -> None:
        before = edge.memory()
        async with dial(edge, "/", max_queue=1) as ws:
            sending = asyncio.create_task(flood(ws))
            stuck = -1
            while stuck != (stuck := progress[0]) or not stuck:
                await asyncio.sleep(0.5)  # until nothing has moved for a while
            assert edge.memory() < before + 8 * MIB
            for _ in range(MESSAGES):
                assert len(await ws.recv()) == MIB
            await sending

    async def flood(ws: ClientConnection) -> None:
        for _ in range(MESSAGES):
            await ws.send(bytes(MIB))
            progress[0] += 1

    progress = [0]
    asyncio.run(main())


MESSAGES = 64


@pytest.mark.parametrize("code", [1000, 3999])
def test_the_clients_close_arrives_and_is_answered(edge: EdgeProcess, code: int) -> None:
    """The closing handshake is the two ends' own."""

    async def main() -> None:
        async with dial(edge, "/") as ws:
            await ws.close(code, "bye")
        assert ws.close_code == code

    asyncio.run(main())


def test_the_applications_close_arrives(edge: EdgeProcess) -> None:
    """Code and reason, and an orderly end of the connection."""

    async def main() -> None:
        async with dial(edge, "/close") as ws:
            with pytest.raises(ConnectionClosed):
                await ws.recv()
        assert (ws.close_code, ws.close_reason) == (4321, "enough")

    asyncio.run(main())


def test_an_application_that_refuses(edge: EdgeProcess) -> None:
    """Its status is the visitor's answer, in both protocols."""

    async def main() -> None:
        with pytest.raises(InvalidStatus) as refused:
            async with dial(edge, "/refuse"):
                pass
        assert refused.value.response.status_code == 403
        async with HTTP2Client(edge.https_port, trust(edge)) as client:
            stream = await client.websocket("/refuse").answered()
            assert stream.fields[":status"] == "403"

    asyncio.run(main())


def test_websocket_over_http2(edge: EdgeProcess) -> None:
    """Beside ordinary requests on the same connection; the close ends the stream, not the connection."""

    async def main() -> None:
        async with HTTP2Client(edge.https_port, trust(edge)) as client:
            first, second = client.websocket("/scope"), client.websocket("/")
            assert (await first.answered()).fields[":status"] == "200"
            one, two = Socket(first), Socket(second)
            assert bytes((await one.receive()).data).startswith(b"/scope host=localhost")
            await two.send("hello")
            assert (await two.receive()).data == b"hello"
            assert (await client.get("/").ended()).body == b"not a socket"
            await one.close(1001)
            closing = await one.receive()
            assert closing.opcode is Opcode.CLOSE
            assert closing.data[:2] == (1001).to_bytes(2)
            await first.ended()
            await two.send("still here")
            assert (await two.receive()).data == b"still here"

    asyncio.run(main())


def test_large_messages_over_http2(edge: EdgeProcess) -> None:
    """Windows open and close in both directions."""

    async def main() -> None:
        message = "x" * (10 * MIB)
        async with HTTP2Client(edge.https_port, trust(edge)) as client:
            ws = Socket(await client.websocket("/").answered())
            _, received = await asyncio.gather(ws.send(message), ws.receive())
            assert received.data == message.encode()

    asyncio.run(main())


def test_a_slow_reader_over_http2(edge: EdgeProcess) -> None:
    """A window that stays shut stops this stream's application; the other streams go on."""

    async def main() -> None:
        async with HTTP2Client(edge.https_port, trust(edge)) as client:
            slow = await client.websocket("/").answered()
            slow.is_reading = False
            ws = Socket(slow)
            sending = asyncio.create_task(ws.send("y" * (8 * MIB)))
            await slow.until(lambda: len(slow.body) == 65535)  # the whole window
            assert (await client.get("/").ended()).body == b"not a socket"
            slow.read_on()
            assert len((await ws.receive()).data) == 8 * MIB
            await sending

    asyncio.run(main())


def test_an_origin_that_dies_ends_the_socket(tmp_path: Path) -> None:
    """Killed in the middle: the client sees the end at once, and edge serves on when the application is back."""

    async def main() -> None:
        async with dial(served, "/") as ws, HTTP2Client(served.https_port, trust(served)) as client:
            over_http2 = await client.websocket("/").answered()
            await ws.send("hello")
            await ws.recv()
            application.kill()
            with pytest.raises(ConnectionClosed):
                await ws.recv()
            await over_http2.ended()
            assert ws.close_code == 1006

    with (
        UvicornProcess(APPLICATION) as application,
        EdgeProcess(tmp_path, "--upstream", application.address, workers=1) as served,
    ):
        served.wait_trusted()
        asyncio.run(main())


def test_sockets_survive_a_reload_until_the_drain_deadline(tmp_path: Path) -> None:
    """They stay with the old generation; new ones go to the new; what still lives at the deadline is ended."""

    async def main() -> None:
        old = served.workers()
        async with dial(served, "/") as ws, HTTP2Client(served.https_port, trust(served)) as client:
            over_http2 = Socket(await client.websocket("/").answered())
            served.process.send_signal(signal.SIGHUP)
            await asyncio.to_thread(served.wait_until, lambda: set(served.workers()) - set(old))
            await asyncio.to_thread(served.wait_ready)
            await ws.send("survived")
            assert await ws.recv() == "survived"
            await over_http2.send("survived")
            assert (await over_http2.receive()).data == b"survived"
            async with dial(served, "/") as new:
                await new.send("new")
                assert await new.recv() == "new"
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(ws.recv(), 30)
            await over_http2.stream.ended()
        await asyncio.to_thread(served.wait_until, lambda: not set(served.workers()) & set(old))

    configuration = tmp_path / "edge.toml"
    with UvicornProcess(APPLICATION) as application:
        configuration.write_text(f'[server]\ndrain_seconds = 4\n[[site]]\nupstream = ["{application.address}"]\n')
        with EdgeProcess(tmp_path, "--config", str(configuration), workers=1) as served:
            served.wait_trusted()
            asyncio.run(main())
