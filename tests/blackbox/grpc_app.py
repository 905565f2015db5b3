"""A gRPC service (grpcio) without generated code: messages are bytes. `python -m tests.blackbox.grpc_app ADDRESS` serves it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from concurrent import futures

import grpc

BIG = 64 * 1024 * 1024
OPTIONS = [("grpc.max_receive_message_length", BIG), ("grpc.max_send_message_length", BIG)]

PIECE = 16 * 1024
"""Bytes of one message of `Flood`."""

peers: set[str] = set()
cancelled: list[str] = []
flooded = 0


def echo(request: bytes, context: grpc.ServicerContext) -> bytes:
    """The message, and the visitor's metadata as initial and trailing metadata."""
    peers.add(context.peer())
    metadata = [(key, value) for key, value in context.invocation_metadata() if key.startswith("x-test")]
    context.send_initial_metadata(metadata)
    context.set_trailing_metadata((("x-trailing", "yes"), ("x-bytes-bin", b"\0\xff")))
    return request


def fail(request: bytes, context: grpc.ServicerContext) -> bytes:
    """An error and nothing else."""
    context.abort(grpc.StatusCode.NOT_FOUND, request.decode())
    raise AssertionError


def sleep(request: bytes, context: grpc.ServicerContext) -> bytes:
    """Answers after so many seconds, if anybody still waits."""
    gone = threading.Event()
    context.add_callback(gone.set)
    if gone.wait(float(request)):
        cancelled.append("sleep")
    return b""


def counted(_request: bytes, _context: grpc.ServicerContext) -> bytes:
    """What the service has seen: connections, cancelled calls, messages of `Flood`."""
    return b"%d %d %d" % (len(peers), len(cancelled), flooded)


def count(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    """So many numbers; "N!" then fails."""
    for number in range(int(request.rstrip(b"!"))):
        yield b"%d" % number
    if request.endswith(b"!"):
        context.abort(grpc.StatusCode.DATA_LOSS, "that was all")


def watch(_request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    """One message, then silence until the visitor leaves."""
    gone = threading.Event()
    context.add_callback(gone.set)
    yield b"watching"
    if gone.wait(30):
        cancelled.append("watch")


def give_up(_request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    """One message, then the service cancels the call."""
    yield b"one"
    context.cancel()
    time.sleep(0.1)


def flood(request: bytes, _context: grpc.ServicerContext) -> Iterator[bytes]:
    """So many messages as fast as they are taken."""
    global flooded  # noqa: PLW0603  # one service, one counter
    flooded = 0
    for _ in range(int(request)):
        flooded += 1
        yield bytes(PIECE)


def total(requests: Iterator[bytes], _context: grpc.ServicerContext) -> bytes:
    """How many bytes came."""
    return b"%d" % sum(map(len, requests))


def converse(requests: Iterator[bytes], _context: grpc.ServicerContext) -> Iterator[bytes]:
    """Each message back as it comes."""
    yield from requests


UNARY = {"Echo": echo, "Fail": fail, "Sleep": sleep, "Counted": counted}
STREAMS = {"Count": count, "Watch": watch, "GiveUp": give_up, "Flood": flood}


class Service(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio ships no types
    """`/test.Service/…`."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        name = handler_call_details.method.removeprefix("/test.Service/")
        if name in UNARY:
            return grpc.unary_unary_rpc_method_handler(UNARY[name])
        if name in STREAMS:
            return grpc.unary_stream_rpc_method_handler(STREAMS[name])
        if name == "Total":
            return grpc.stream_unary_rpc_method_handler(total)
        if name == "Converse":
            return grpc.stream_stream_rpc_method_handler(converse)
        return None


def serve(address: str) -> None:
    server = grpc.server(futures.ThreadPoolExecutor(64), options=[*OPTIONS, ("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((Service(),))
    server.add_insecure_port(address)
    server.start()
    print("serving", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    serve(sys.argv[1])
