"""Behind load balancers and CDNs: who the client is, as seen by the application and the access log."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.net.proxy_protocol import SIGNATURE
from tests.blackbox.asking import ask_on
from tests.blackbox.curl import curl
from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.recording_origin import RecordingOrigin
from tests.blackbox.visitor import client_context

SPOOFED = ("-H", "X-Forwarded-For: 6.6.6.6, 198.51.100.7", "-H", "X-Request-ID: from-outside-1")


def start(directory: Path, origin: RecordingOrigin, listen: str) -> EdgeProcess:
    (directory / "edge.toml").write_text(f'[[site]]\nupstream = "127.0.0.1:{origin.port}"\n[listen]\n{listen}')
    return EdgeProcess(directory, "--config", str(directory / "edge.toml"), "--log-format", "json")


@pytest.fixture
def origin() -> Iterator[RecordingOrigin]:
    with RecordingOrigin() as running:
        yield running


def fields(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def test_nobody_is_believed_by_default(tmp_path: Path, origin: RecordingOrigin) -> None:
    """The application gets the peer's address and an id of our own."""
    with start(tmp_path, origin, "") as edge:
        assert curl(edge, "https://localhost/", *SPOOFED, "-H", "X-Forwarded-Proto: http").status == 200
        assert curl(edge, "http://localhost/", "-H", "X-Forwarded-Proto: https").status == 308
    seen = fields(origin.requests[0])
    assert seen["x-forwarded-for"] == seen["x-real-ip"] == "127.0.0.1"
    assert seen["x-forwarded-proto"] == "https"
    assert seen["x-request-id"] != "from-outside-1"


def test_a_trusted_proxy_speaks_for_its_client(tmp_path: Path, origin: RecordingOrigin) -> None:
    """Address, scheme, host and request id reach the application, the response and the access log; lies do not."""
    with start(tmp_path, origin, 'trusted_proxies = "private"\n') as edge:
        reply = curl(edge, "http://localhost/", *SPOOFED, "-H", "X-Forwarded-Proto: https")
        assert (reply.status, reply.field("x-request-id")) == (200, "from-outside-1")
        assert curl(edge, "http://localhost/", *SPOOFED).status == 308
        assert curl(edge, "https://localhost/", *SPOOFED, "-H", "X-Forwarded-Proto: http").status == 308
        assert curl(edge, "https://localhost/", *SPOOFED, "-H", "Forwarded: for=9.9.9.9").status == 400
        hosted = curl(edge, "https://localhost/", *SPOOFED, "-H", "X-Forwarded-Host: other.test")
        assert hosted.status == 421
    seen = fields(origin.requests[0])
    assert seen["x-forwarded-for"] == seen["x-real-ip"] == "198.51.100.7"
    assert (seen["x-forwarded-proto"], seen["x-request-id"]) == ("https", "from-outside-1")
    assert '"198.51.100.7"' in edge.access_log.read_text()


def test_a_proxy_header_names_the_client(tmp_path: Path, origin: RecordingOrigin) -> None:
    """Before TLS and before plain HTTP, on a port that only takes connections with one from there."""
    process = start(tmp_path, origin, 'trusted_proxies = "127.0.0.0/8"\nproxy_protocol = true\n').start()
    try:
        process.wait_for("certificate")
        process.wait_for("serving")
        for header in (b"PROXY TCP4 198.51.100.8 192.0.2.1 1 2\r\n", SIGNATURE + b"\x20\x00\x00\x00"):
            with socket.create_connection(("127.0.0.1", process.https_port), 5) as sock:
                sock.sendall(header)
                with client_context("http/1.1").wrap_socket(sock, server_hostname="localhost") as tls:
                    assert ask_on(tls, "localhost", process.https_port, "/").status == 200
        with socket.create_connection(("127.0.0.1", process.http_port), 5) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert sock.recv(100) == b""
        with socket.create_connection(("127.0.0.1", process.http_port), 5) as sock:
            for byte in b"PROXY TCP4 198.51.100.9 192.0.2.1 1 2\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n":
                sock.sendall(bytes([byte]))
            assert sock.recv(100).startswith(b"HTTP/1.1 308 ")
    finally:
        assert process.stop() == 0
    assert fields(origin.requests[0])["x-forwarded-for"] == "198.51.100.8"
    assert fields(origin.requests[1])["x-forwarded-for"] == "127.0.0.1"
    assert '"198.51.100.9"' in process.access_log.read_text()
    assert "connection without PROXY header closed" in process.output
