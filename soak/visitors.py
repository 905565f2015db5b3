"""Visitors of every kind, each asking without pause: those of the tests, and a few more. An answer that is not the right one is a
failure, also where the visitor itself behaves badly."""

from __future__ import annotations

import socket
import struct
from typing import Final

from soak.application import EVENT, EVENTS
from tests.blackbox.asking import Answer, ask_on, read_answer
from tests.blackbox.load import HandshakeLoad, Http2Load, KeepAliveLoad, Load, trusting

UPLOAD: Final = 600_000
"""Bytes: more than edge keeps in memory, so that a temporary file is used."""

BAD: Final = b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"


class Uploads(Load):
    """Bodies that must arrive whole."""

    pause = 0.05

    def visit(self) -> None:
        """See Load.visit."""
        with self.connect(trusting("http/1.1")) as sock:
            head = f"POST /upload HTTP/1.1\r\nHost: {self.name}:{self.port}\r\nContent-Length: {UPLOAD}\r\n\r\n"
            sock.sendall(head.encode() + b"x" * UPLOAD)
            _check(read_answer(sock), b"%d\n" % UPLOAD)
        self.answered += 1
        self.stopped.wait(self.pause)


class Pages(Load):
    """One page on a connection of its own, with the body that it must have."""

    pause = 0.02

    def __init__(self, port: int, name: str, target: str, body: bytes) -> None:
        super().__init__(port, name, target=target, clients=1)
        self._body = body

    def visit(self) -> None:
        """See Load.visit."""
        with self.connect(trusting("http/1.1")) as sock:
            _check(ask_on(sock, self.name, self.port, self.target), self._body)
        self.answered += 1
        self.stopped.wait(self.pause)


class WebSockets(Load):
    """A short conversation, again and again, in bare frames (RFC 6455 §5.2; the mask is zero, so a text is its own masking)."""

    pause = 0.02

    def visit(self) -> None:
        """See Load.visit."""
        request = (
            f"GET /socket HTTP/1.1\r\nHost: {self.name}:{self.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        with self.connect(trusting("http/1.1")) as sock, sock.makefile("rb") as answers:
            sock.sendall(request.encode())
            status = answers.readline()
            assert status.startswith(b"HTTP/1.1 101"), status
            while (line := answers.readline()) != b"\r\n":
                assert line, "closed within a head"
            for number in range(10):
                text = b"message %d" % number
                sock.sendall(bytes((0x81, 0x80 | len(text))) + b"\0\0\0\0" + text)
                echo = answers.read(2 + len(text))
                assert echo == bytes((0x81, len(text))) + text, echo
            sock.sendall(b"\x88\x80\0\0\0\0")
            assert answers.read(2) == b"\x88\0"
        self.answered += 1
        self.stopped.wait(self.pause)


class BadRequests(Load):
    """What no parser may accept: each is answered with 400 and the end of the connection."""

    pause = 0.05

    def visit(self) -> None:
        """See Load.visit."""
        with self.connect(trusting("http/1.1")) as sock:
            sock.sendall(BAD)
            assert read_answer(sock).status == 400
            assert sock.recv(1) == b""
        self.answered += 1
        self.stopped.wait(self.pause)


class Leavers(Load):
    """Visitors who reset their connection while they are being answered, or in the middle of what they say."""

    pause = 0.05

    def visit(self) -> None:
        """See Load.visit."""
        for said in (
            b"GET /events HTTP/1.1\r\nHost: %b:%d\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: %b:%d\r\nContent-Length: 9\r\n\r\nx",
        ):
            with self.connect(trusting("http/1.1")) as sock:
                sock.sendall(said % (self.name.encode(), self.port))
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.answered += 1
        self.stopped.wait(self.pause)


def everybody(port: int, name: str, static: bytes) -> list[Load]:
    """One load of each kind. `static` is what /static/page.txt holds."""
    return [
        KeepAliveLoad(port, name, clients=2),
        Http2Load(port, name, clients=1),
        HandshakeLoad(port, name, clients=1),
        Pages(port, name, "/static/page.txt", static),
        Pages(port, name, "/events", EVENT * EVENTS),
        Uploads(port, name, clients=1),
        WebSockets(port, name, clients=1),
        BadRequests(port, name, clients=1),
        Leavers(port, name, clients=1),
    ]


def _check(answer: Answer, body: bytes) -> None:
    assert (answer.status, answer.body) == (200, body), (answer.status, answer.body[:80])
