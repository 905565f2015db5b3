"""An origin that behaves as the request's path tells it, over HTTP or the uwsgi protocol: `/ANY/BEHAVIOUR/ANY`.

A whole answer has the path as its body: so a visitor sees whether it got the answer to its own request.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from tests.blackbox.scripted_origin import ScriptedOrigin, answer, answer_and_close
from tests.wire.uwsgi_reader import HEADER, read_variables, size_behind

Act = Callable[[socket.socket, bytes], bool]
"""Gets a connection and the path; whether the connection may carry another request."""

FOREIGN: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nforeign"
"""A response that nobody has asked for."""

OWN: Final = 200
"""The outcome of an exchange with a whole answer, which must be the right one."""

CUT: Final = "cut"
"""The outcome of one that the visitor can see is not whole."""


HANGS: Final = "hangs"
"""The behaviour that costs a timeout."""


class Behaviour(NamedTuple):
    """What the origin does, and what a visitor may get to see of it."""

    act: Act
    outcomes: frozenset[int | str]


def head(*lines: bytes, first: bytes = b"HTTP/1.1 200 OK") -> bytes:
    """A response head."""
    return b"\r\n".join((first, *lines, b"", b""))


def whole(path: bytes) -> bytes:
    """The right answer."""
    return head(b"Content-Length: %d" % len(path)) + path


def chunks(path: bytes) -> bytes:
    """The right answer in chunks, without the last one."""
    return head(b"Transfer-Encoding: chunked") + b"%x\r\n%b\r\n" % (len(path), path)


def says(*makers: Callable[[bytes], bytes]) -> Act:
    """Sends what these make of the path, each in one write."""
    return lambda sock, path: answer(*(make(path) for make in makers))(sock, b"")


def closes_after(*makers: Callable[[bytes], bytes]) -> Act:
    """The same, then an orderly end."""
    return lambda sock, path: answer_and_close(*(make(path) for make in makers))(sock, b"")


def resets_after(*makers: Callable[[bytes], bytes]) -> Act:
    """The same, then a reset, which may overtake what was written."""

    def act(sock: socket.socket, path: bytes) -> bool:
        answer(*(make(path) for make in makers))(sock, b"")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    return act


def waits(sock: socket.socket, path: bytes) -> bool:
    """Says nothing until edge gives up."""
    with contextlib.suppress(OSError):
        sock.recv(1)
    return False


def byte_by_byte(sock: socket.socket, path: bytes) -> bool:
    """The right answer in as many writes as it has bytes."""
    data = whole(path)
    return answer(*(data[index : index + 1] for index in range(len(data))))(sock, b"")


def slowly(sock: socket.socket, path: bytes) -> bool:
    """The right answer, whose last byte comes a moment later."""
    sock.sendall(whole(path)[:-1])
    time.sleep(0.01)
    return answer(path[-1:])(sock, b"")


def _is(*outcomes: int | str) -> frozenset[int | str]:
    return frozenset(outcomes)


BEHAVIOURS: Final = {
    "length": Behaviour(says(whole), _is(OWN)),
    "chunks": Behaviour(says(chunks, lambda path: b"0\r\n\r\n"), _is(OWN)),
    "until-close": Behaviour(closes_after(lambda path: head() + path), _is(OWN)),
    "byte-by-byte": Behaviour(byte_by_byte, _is(OWN)),
    "hints": Behaviour(says(lambda path: head(first=b"HTTP/1.1 103 Early Hints") + whole(path)), _is(OWN)),
    "no-content": Behaviour(says(lambda path: head(first=b"HTTP/1.1 204 No Content")), _is(204)),
    "slow": Behaviour(slowly, _is(OWN)),
    "closes-afterwards": Behaviour(closes_after(whole), _is(OWN)),
    "longer": Behaviour(says(lambda path: whole(path) + b"more"), _is(OWN)),
    "second-answer": Behaviour(says(lambda path: whole(path) + FOREIGN), _is(OWN)),
    "second-answer-behind-chunks": Behaviour(says(lambda path: chunks(path) + b"0\r\n\r\n" + FOREIGN), _is(OWN)),
    "body-behind-204": Behaviour(
        says(lambda path: head(b"Content-Length: 7", first=b"HTTP/1.1 204 No Content") + FOREIGN), _is(204)
    ),
    "shorter": Behaviour(closes_after(lambda path: whole(path)[:-1]), _is(502, CUT)),
    "shorter-later": Behaviour(closes_after(lambda path: whole(path)[:-2], lambda path: b"x"), _is(502, CUT)),
    "shorter-reset": Behaviour(resets_after(lambda path: whole(path)[:-1]), _is(502, CUT)),
    "chunks-without-end": Behaviour(closes_after(chunks), _is(502, CUT)),
    "chunk-cut": Behaviour(closes_after(lambda path: chunks(path)[:-4]), _is(502, CUT)),
    "chunk-broken": Behaviour(says(lambda path: chunks(path) + b"x\r\n"), _is(502, CUT)),
    "until-reset": Behaviour(resets_after(lambda path: head() + path), _is(502, CUT)),
    "head-cut": Behaviour(closes_after(lambda path: whole(path)[:20]), _is(502)),
    "says-nothing": Behaviour(closes_after(), _is(502)),
    "resets": Behaviour(resets_after(), _is(502)),
    "garbage": Behaviour(says(lambda path: b"\x16\x03\x01\x02\0 I am no web server\r\n\r\n"), _is(502)),
    "two-lengths": Behaviour(says(lambda path: head(b"Content-Length: 2", b"Content-Length: 3") + b"ok!"), _is(502)),
    "length-and-chunks": Behaviour(
        says(lambda path: head(b"Content-Length: 2", b"Transfer-Encoding: chunked") + b"2\r\nok\r\n0\r\n\r\n"), _is(502)
    ),
    "split": Behaviour(says(lambda path: head(b"X: a\rSet-Cookie: b=1", b"Content-Length: 0")), _is(502)),
    "tunnel": Behaviour(says(lambda path: head(b"Upgrade: x", first=b"HTTP/1.1 101 S") + FOREIGN), _is(502)),
    "interims": Behaviour(says(lambda path: head(first=b"HTTP/1.1 102 P") * 40 + whole(path)), _is(502)),
    "large-head": Behaviour(says(lambda path: head(b"X: " + b"x" * 70_000)), _is(502)),
    HANGS: Behaviour(waits, _is(504)),
}  # fmt: skip


def behave(sock: socket.socket, request: bytes) -> bool:
    """A script for `ScriptedOrigin`."""
    path = request.split(b" ", 2)[1]
    return BEHAVIOURS[path.split(b"/")[2].decode()].act(sock, path)


class UwsgiOrigin(ScriptedOrigin):
    """The same over the uwsgi protocol; a script sees the packet as the request line that it stands for."""

    @staticmethod
    def read_request(sock: socket.socket) -> bytes:
        """One packet, without a body."""
        header = _read_exactly(sock, HEADER)
        if not header:
            return b""
        variables = read_variables(_read_exactly(sock, size_behind(header)))
        return variables["REQUEST_METHOD"] + b" " + variables["REQUEST_URI"] + b" HTTP/1.1\r\n\r\n"


def _read_exactly(sock: socket.socket, size: int) -> bytes:
    return sock.recv(size, socket.MSG_WAITALL)
