"""gRPC through edge: grpcio at both ends, TLS and HTTP/2 in front, h2c behind, with both engines."""

from __future__ import annotations

import hashlib
import http.client
import queue
import random
import signal
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from tests.blackbox.edge_process import EdgeProcess, free_port
from tests.blackbox.grpc_app import OPTIONS, PIECE
from tests.blackbox.grpc_process import GRPCProcess

MIB = 1024 * 1024
PATIENCE = 20.0


@pytest.fixture(scope="module")
def service() -> Iterator[GRPCProcess]:
    with GRPCProcess() as running:
        yield running


@pytest.fixture(scope="module")
def edge(service: GRPCProcess, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    flags = ("--upstream", f"h2c://{service.address}", "--http2-engine", engine)
    with EdgeProcess(tmp_path_factory.mktemp("grpc"), *flags, workers=1) as process:
        yield process.wait_trusted()


def open_channel(edge: EdgeProcess) -> grpc.Channel:
    credentials = grpc.ssl_channel_credentials(edge.root.read_bytes())
    return grpc.secure_channel(f"localhost:{edge.https_port}", credentials, options=OPTIONS)


@pytest.fixture
def channel(edge: EdgeProcess) -> Iterator[grpc.Channel]:
    with open_channel(edge) as channel:
        yield channel


def unary(channel: grpc.Channel, name: str) -> grpc.UnaryUnaryMultiCallable:
    return channel.unary_unary(f"/test.Service/{name}")


def stream(channel: grpc.Channel, name: str) -> grpc.UnaryStreamMultiCallable:
    return channel.unary_stream(f"/test.Service/{name}")


def counted(channel: grpc.Channel) -> tuple[int, int, int]:
    """Connections, cancelled calls, messages of Flood, as the service sees them."""
    connections, cancelled, flooded = unary(channel, "Counted")(b"", timeout=PATIENCE).split()
    return int(connections), int(cancelled), int(flooded)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.01)


# -- the four kinds of calls ------------------------------------------------------------------------------------------
def test_a_unary_call_with_metadata(channel: grpc.Channel) -> None:
    """Message, initial metadata and trailing metadata arrive, binary values as they are."""
    reply, call = unary(channel, "Echo").with_call(b"hello", metadata=[("x-test", "1")], timeout=PATIENCE)
    assert reply == b"hello"
    assert ("x-test", "1") in call.initial_metadata()
    assert {("x-trailing", "yes"), ("x-bytes-bin", b"\0\xff")} <= {*call.trailing_metadata()}


def test_a_stream_from_the_server(channel: grpc.Channel) -> None:
    """Every message in its order, and the status behind them."""
    call = stream(channel, "Count")(b"1000", timeout=PATIENCE)
    assert [int(message) for message in call] == [*range(1000)]
    assert call.code() is grpc.StatusCode.OK


def test_a_stream_from_the_client(channel: grpc.Channel) -> None:
    """Without a length, longer than what edge gathers of other bodies."""
    messages = (bytes(10_000) for _ in range(500))
    total = channel.stream_unary("/test.Service/Total")
    assert total(messages, timeout=PATIENCE) == b"5000000"


def test_streams_both_ways(channel: grpc.Channel) -> None:
    """Each message is answered before the next one is written."""
    said: queue.Queue[bytes | None] = queue.Queue()
    call = channel.stream_stream("/test.Service/Converse")(iter(said.get, None), timeout=PATIENCE)
    for number in range(50):
        said.put(b"%d" % number)
        assert next(call) == b"%d" % number
    said.put(None)
    assert [*call] == []
    assert call.code() is grpc.StatusCode.OK


# -- errors -----------------------------------------------------------------------------------------------------------
def test_an_error_without_a_message(channel: grpc.Channel) -> None:
    """Status and details, which come in the only header block ("trailers-only")."""
    with pytest.raises(grpc.RpcError) as caught:
        unary(channel, "Fail")("nichts für dich".encode(), timeout=PATIENCE)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.NOT_FOUND, "nichts für dich")


def test_an_error_behind_messages(channel: grpc.Channel) -> None:
    """The messages arrive, then the status."""
    call = stream(channel, "Count")(b"3!", timeout=PATIENCE)
    messages: list[bytes] = []
    with pytest.raises(grpc.RpcError) as caught:
        messages += call
    assert (messages, caught.value.code()) == ([b"0", b"1", b"2"], grpc.StatusCode.DATA_LOSS)


def test_a_method_that_does_not_exist(channel: grpc.Channel) -> None:
    """The service says so, not edge."""
    with pytest.raises(grpc.RpcError) as caught:
        unary(channel, "Nothing")(b"", timeout=PATIENCE)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


# -- deadlines and cancellation ---------------------------------------------------------------------------------------
def test_a_deadline_ends_the_call_at_both_ends(channel: grpc.Channel) -> None:
    """The client hears DEADLINE_EXCEEDED, the service that nobody waits."""
    before = counted(channel)[1]
    with pytest.raises(grpc.RpcError) as caught:
        unary(channel, "Sleep")(b"15", timeout=0.3)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    wait_until(lambda: counted(channel)[1] == before + 1)


def test_a_client_that_cancels_reaches_the_service(channel: grpc.Channel) -> None:
    """In the middle of a stream that is silent."""
    before = counted(channel)[1]
    call = stream(channel, "Watch")(b"")
    assert next(call) == b"watching"
    call.cancel()
    wait_until(lambda: counted(channel)[1] == before + 1)


def test_a_service_that_cancels_reaches_the_client(channel: grpc.Channel) -> None:
    """What was said before arrives; the call fails as it does without edge in between."""
    call = stream(channel, "GiveUp")(b"", timeout=PATIENCE)
    assert next(call) == b"one"
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    assert caught.value.code() is grpc.StatusCode.CANCELLED


# -- sizes and pace ---------------------------------------------------------------------------------------------------
def test_large_messages_pass_flow_control(channel: grpc.Channel) -> None:
    """Sixteen megabytes there and back, unchanged."""
    message = random.Random(1).randbytes(16 * MIB)
    reply = unary(channel, "Echo")(message, timeout=PATIENCE)
    assert hashlib.sha256(reply).digest() == hashlib.sha256(message).digest()


def test_a_client_that_does_not_read_stops_the_service(channel: grpc.Channel) -> None:
    """Windows fill on the way and the service waits; other calls over the same connections go on; nothing is lost."""
    number = 32 * MIB // PIECE
    call = stream(channel, "Flood")(b"%d" % number, timeout=PATIENCE)
    next(call)
    before = -1
    while before < (now := counted(channel)[2]):  # each answer takes a turn of everything between us and the service
        before = now
    assert counted(channel)[2] < number / 2
    assert sum(len(message) for message in call) == (number - 1) * PIECE


def test_many_calls_share_few_connections(channel: grpc.Channel) -> None:
    """A hundred at the same time."""
    echo = unary(channel, "Echo")
    for call in [echo.future(b"%d" % number, timeout=PATIENCE) for number in range(100)]:
        assert call.result().isdigit()
    assert counted(channel)[0] <= 3


# -- other visitors ---------------------------------------------------------------------------------------------------
def test_a_visitor_over_http1_gets_the_status_as_a_trailer(edge: EdgeProcess) -> None:
    """Forwarded as it is: the frame of the message in the body, `grpc-status` behind the last chunk."""
    context = ssl.create_default_context(cafile=edge.root)
    connection = http.client.HTTPSConnection("localhost", edge.https_port, context=context, timeout=PATIENCE)
    connection.connect()
    message = b"\0\0\0\0\x02hi"
    connection.sock.sendall(
        b"POST /test.Service/Echo HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\nConnection: close\r\n"
        b"Content-Type: application/grpc\r\nContent-Length: %d\r\n\r\n%b" % (len(message), message)
    )
    said = b""
    while data := connection.sock.recv(65536):
        said += data
    connection.close()
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"7\r\n" + message + b"\r\n0\r\n" in body
    assert b"grpc-status: 0\r\n" in body


# -- restarts ---------------------------------------------------------------------------------------------------------
def test_a_stream_survives_a_reload_of_edge(edge: EdgeProcess, channel: grpc.Channel) -> None:
    """It stays with the workers that it began with; new calls go to the new ones."""
    said: queue.Queue[bytes | None] = queue.Queue()
    call = channel.stream_stream("/test.Service/Converse")(iter(said.get, None), timeout=PATIENCE)
    said.put(b"before")
    assert next(call) == b"before"
    before = edge.output.count("serving")
    edge.process.send_signal(signal.SIGHUP)
    edge.wait_until(lambda: edge.output.count("serving") > before)
    said.put(b"after")
    assert next(call) == b"after"
    said.put(None)
    assert [*call] == []
    assert unary(channel, "Echo")(b"x", timeout=PATIENCE) == b"x"


def test_a_service_that_restarts_costs_a_waiting_call_nothing(tmp_path: Path) -> None:
    """Calls are held while nobody listens; where nobody ever did the client hears UNAVAILABLE at once."""
    config = tmp_path / "edge.toml"
    with GRPCProcess() as service:
        config.write_text(
            f'[[site]]\nupstream = "h2c://{service.address}"\n\n'
            f'[[site.route]]\npath = "/test.Absent"\nupstream = "h2c://127.0.0.1:{free_port()}"\n'
        )
        process = EdgeProcess(tmp_path, "--config", str(config), workers=1)
        with process as edge, open_channel(edge.wait_trusted()) as channel:
            echo = unary(channel, "Echo")
            assert echo(b"1", timeout=PATIENCE) == b"1"
            with pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary("/test.Absent/Echo")(b"2", timeout=PATIENCE)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            service.kill()
            held = echo.future(b"3", timeout=PATIENCE)
            wait_until(lambda: "requests are held" in edge.output)
            service.start()
            assert held.result() == b"3"
