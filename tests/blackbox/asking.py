"""One question to a running edge, and questions to the kernel about its processes."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.blackbox.load import PATIENCE, trusting


class Answer(NamedTuple):
    """A whole response; `leaf` is the certificate that came with it, in DER."""

    status: int
    fields: dict[str, str]
    body: bytes
    leaf: bytes


def ask(port: int, name: str = "localhost", target: str = "/", root: bytes | None = None) -> Answer:
    """GET over HTTPS on a connection of its own. With `root` (PEM) chain and name must be good. Raises: OSError."""
    with connect_tls(port, name, root) as sock:
        return ask_on(sock, name, port, target)


def ask_plain(port: int, name: str = "localhost", target: str = "/") -> Answer:
    """The same over plain HTTP."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        return ask_on(sock, name, port, target)


def connect_tls(port: int, name: str, root: bytes | None = None) -> ssl.SSLSocket:
    """A connection for HTTP/1.1. Raises: OSError."""
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
    try:
        return trusting("http/1.1", root).wrap_socket(sock, server_hostname=name)
    except BaseException:
        sock.close()
        raise


def ask_on(sock: socket.socket, name: str, port: int, target: str) -> Answer:
    """GET on a connection that is open. Raises: OSError, HTTPException when it is cut."""
    sock.sendall(f"GET {target} HTTP/1.1\r\nHost: {name}:{port}\r\n\r\n".encode())
    return read_answer(sock)


def read_answer(sock: socket.socket) -> Answer:
    """The answer to the one GET that has been sent. Raises: OSError, HTTPException."""
    with http.client.HTTPResponse(sock, method="GET") as response:
        response.begin()
        body = response.read()
        fields = {field.lower(): value for field, value in response.getheaders()}
    leaf = sock.getpeercert(binary_form=True) if isinstance(sock, ssl.SSLSocket) else None
    return Answer(response.status, fields, body, leaf or b"")


def wait_until(condition: Callable[[], object], timeout: float = PATIENCE, what: str = "it") -> None:
    """Until the condition holds; other processes cannot tell us when."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout:g} s"
        time.sleep(0.01)


# -- processes ----------------------------------------------------------------------------------------------------------


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not collected yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def status_field(pid: int, name: str) -> list[str]:
    """A line of /proc/PID/status, in words."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return line.split()[1:]
    raise AssertionError(f"no {name} in /proc/{pid}/status")


def open_descriptors(pid: int) -> list[str]:
    """What the process has open."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(os.readlink(entry))
        except OSError:
            continue  # closed meanwhile
    return found


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of 127.0.0.1."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
            sock.listen()
        except OSError:
            return False
        return True
