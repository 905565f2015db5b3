"""Our own client for what wrk and h2load do not measure: handshakes, and connections that stay and do nothing."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle

from benchmarks.errors import LoadFailed
from benchmarks.load.requests import request_bytes
from benchmarks.load.tls import unverified_context
from benchmarks.load.work import Report
from benchmarks.servers.running import Running

TIMEOUT = 10.0
LARGEST_ANSWER = 64 * 1024


def connect(
    context: ssl.SSLContext, port: int, server_name: str, session: ssl.SSLSession | None = None
) -> ssl.SSLSocket:
    """A connection after its handshake."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        return context.wrap_socket(sock, server_hostname=server_name, session=session)
    except BaseException:
        sock.close()
        raise


def fetch(sock: ssl.SSLSocket, path: str, *fields: tuple[str, str]) -> bytes:
    """Send one request; what arrives until the response is whole (it has a Content-Length) or the server closes."""
    sock.sendall(request_bytes(path, "localhost", fields))
    received = b""
    while len(received) < LARGEST_ANSWER:
        data = sock.recv(LARGEST_ANSWER)
        received += data
        if not data or _is_whole(received):
            return received
    raise LoadFailed(f"an answer to {path} of more than {LARGEST_ANSWER} bytes")


def _is_whole(received: bytes) -> bool:
    head, end, body = received.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return bool(end) and len(body) >= int(line.partition(b":")[2])
    return False


def run_handshakes(server: Running, path: str, seconds: float, *, resume: bool, names: Sequence[str]) -> Report:
    """One connection after another: handshake, one small request that ends the connection, close.

    The request is there because it makes both ends finish the handshake in every version of TLS. With `resume` each
    connection offers the session of the first one. Raises: LoadFailed when the server does not resume."""
    context = unverified_context("http/1.1")
    session = first_session(context, server.port, names[0], path) if resume else None
    turns = cycle(names)
    began, before, count, failures = time.monotonic(), server.cpu_seconds(), 0, 0
    while (now := time.monotonic()) - began < seconds:
        try:
            with connect(context, server.port, next(turns), session) as sock:
                _check_resumption(server, sock, resume)
                answer = fetch(sock, path, ("Connection", "close"))
            failures += not answer.startswith(b"HTTP/1.1 200 ")
        except OSError:
            failures += 1
        count += 1
    return Report(count, now - began, failures, server.cpu_seconds() - before)


def _check_resumption(server: Running, sock: ssl.SSLSocket, wanted: bool) -> None:
    if bool(sock.session_reused) != wanted:
        raise LoadFailed(f"{server.name}: session_reused is {sock.session_reused}, wanted {wanted}")


def first_session(context: ssl.SSLContext, port: int, server_name: str, path: str) -> ssl.SSLSession:
    """A session that can be resumed; in TLS 1.3 tickets arrive behind the handshake, so a response is read first."""
    with connect(context, port, server_name) as sock:
        fetch(sock, path)
        if sock.session is None or not sock.session.has_ticket:
            raise LoadFailed("the server gave no ticket")
        return sock.session


@contextmanager
def idle_connections(port: int, count: int, path: str) -> Iterator[list[ssl.SSLSocket]]:
    """So many open HTTP/1.1 connections; each has had one response and now does nothing."""
    context = unverified_context("http/1.1")
    held: list[ssl.SSLSocket] = []
    try:
        for _ in range(count):
            held.append(connect(context, port, "localhost"))
            fetch(held[-1], path)
        yield held
    finally:
        for sock in held:
            sock.close()


def is_open(sock: ssl.SSLSocket) -> bool:
    """Whether the server has neither closed nor sent anything since."""
    sock.setblocking(False)
    try:
        sock.recv(1)
    except ssl.SSLWantReadError:
        return True
    except OSError:
        return False
    return False
