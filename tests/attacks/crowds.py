"""Many connections of one client that take their time, or come without end."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from tests.attacks.target import Target, client_hello
from tests.wire import http2_frames as wire

Opening = Callable[[Target], socket.socket]
"""Makes one connection and does what it does at its beginning."""

OPENING = 20.0
"""Seconds that a crowd may take to come."""

SMALL_BUFFER = 4096
"""Bytes that a reader who does not read lets its kernel take."""


@contextmanager
def crowd(target: Target, count: int, opening: Opening) -> Iterator[list[socket.socket]]:
    """So many connections, held while the block runs. Those that are refused are missing, and those that take too long."""
    until = time.monotonic() + OPENING
    with ExitStack() as stack:
        held = []
        for _ in range(count):
            if time.monotonic() > until:
                break
            with contextlib.suppress(OSError):
                held.append(stack.enter_context(opening(target)))
        yield held


def drip(held: list[socket.socket], piece: bytes, until: float, pause: float) -> None:
    """Send a piece on every connection that is left, again and again."""
    while time.monotonic() < until:
        for sock in list(held):
            try:
                sock.send(piece)
            except OSError:
                held.remove(sock)
        time.sleep(pause)


def silence(target: Target) -> socket.socket:
    """Not a byte."""
    return target.dial()


def half_hello(target: Target) -> socket.socket:
    """The first half of a ClientHello."""
    return _said(target.dial(), client_hello(target.name)[:100])


def idle(target: Target) -> socket.socket:
    """A handshake, then nothing."""
    return target.dial_tls()


def idle_http2(target: Target) -> socket.socket:
    """The same with the beginning of HTTP/2."""
    return target.http2().sock


def slow_head(target: Target) -> socket.socket:
    """A request head that never ends."""
    return _said(target.dial_tls(), target.head()[:-2])


def slow_head_http2(target: Target) -> socket.socket:
    """A header block that never ends."""
    visitor = target.http2()
    visitor.send(wire.frame(wire.HEADERS, 1, 1, wire.block(target.fields())))
    return visitor.sock


def slow_body(target: Target) -> socket.socket:
    """A request body that never ends."""
    return _said(target.dial_tls(), target.head(b"Content-Length: 1000000", method=b"POST"))


def slow_body_http2(target: Target) -> socket.socket:
    """The same on a hundred streams."""
    visitor = target.http2()
    fields = target.fields((b"content-length", b"1000000"), method=b"POST")
    visitor.send(b"".join(wire.headers(2 * n + 1, fields, end=False) for n in range(100)))
    return visitor.sock


def slow_reader(target: Target) -> socket.socket:
    """Asks for a large file and does not read it."""
    return _said(target.dial_tls(SMALL_BUFFER), target.head())


def zero_window(target: Target) -> socket.socket:
    """A hundred requests for a large file, and no window for any."""
    visitor = target.http2({4: 0})
    visitor.send(b"".join(wire.headers(2 * n + 1, target.fields()) for n in range(100)))
    return visitor.sock


def one_byte_windows(target: Target) -> socket.socket:
    """The same with windows of a byte."""
    visitor = target.http2({4: 1})
    visitor.send(b"".join(wire.headers(2 * n + 1, target.fields()) for n in range(100)))
    return visitor.sock


def unread_pipeline(target: Target) -> socket.socket:
    """More requests than anybody will read answers to."""
    sock = target.dial_tls(SMALL_BUFFER)
    sock.settimeout(0.05)
    with contextlib.suppress(OSError):
        for _ in range(50):
            sock.send(target.head() * 200)
    return sock


def _said(sock: socket.socket, data: bytes) -> socket.socket:
    with contextlib.suppress(OSError):
        sock.sendall(data)
    return sock


def hello_flood(target: Target, until: float) -> int:
    """Says hello and leaves, so that only the server pays for the handshake; how often."""
    hello = client_hello(target.name)
    count = 0
    while time.monotonic() < until:
        with contextlib.suppress(OSError), target.dial() as sock:
            sock.sendall(hello)
            sock.settimeout(0.2)
            sock.recv(1)
        count += 1
    return count
