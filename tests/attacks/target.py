"""Whom an attack is for, and where it seems to come from."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import NamedTuple

from tests.blackbox.http2_visitor import HTTP2Visitor
from tests.blackbox.visitor import client_context, dial, dial_tls

_HTTP1 = client_context("http/1.1")


class Target(NamedTuple):
    """A server on 127.0.0.1. `path` is a file of a MiB or more, `name` the host that has it."""

    port: int
    path: bytes = b"/"
    name: str = "a.test"
    source: str = "127.0.0.66"

    def dial(self, receive_buffer: int = 0) -> socket.socket:
        """TCP alone."""
        return dial(self.port, receive_buffer, self.source)

    def dial_tls(self, receive_buffer: int = 0) -> ssl.SSLSocket:
        """HTTP/1.1 over TLS."""
        return dial_tls(self.port, self.name, _HTTP1, receive_buffer, self.source)

    def http2(self, settings: dict[int, int] | None = None, receive_buffer: int = 0) -> HTTP2Visitor:
        """HTTP/2, its preface sent."""
        return HTTP2Visitor(self.port, settings, name=self.name, receive_buffer=receive_buffer, source=self.source)

    def head(self, *lines: bytes, method: bytes = b"GET") -> bytes:
        """An HTTP/1.1 request head for the file, with more field lines."""
        first = b"%b %b HTTP/1.1" % (method, self.path)
        return b"\r\n".join((first, b"Host: " + self.name.encode(), *lines, b"", b""))

    def fields(self, *more: tuple[bytes, bytes], method: bytes = b"GET") -> list[tuple[bytes, bytes]]:
        """The same for HTTP/2."""
        pseudo = [(b":method", method), (b":scheme", b"https"), (b":authority", self.name.encode())]
        return [*pseudo, (b":path", self.path), *more]


def client_hello(name: str) -> bytes:
    """What a client says first; good for any number of connections that will not be continued."""
    outgoing = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        client_context("h2", "http/1.1").wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name).do_handshake()
    return outgoing.read()
