"""Clients that people use, against the running command before an application that echoes."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blackbox.conftest import domains
from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.scripted_origin import ScriptedOrigin
from tests.blackbox.visitor import client_context


def echo(sock: socket.socket, head: bytes) -> bool:
    """Answers with what it was sent, as JSON."""
    lines = head.decode("latin-1").split("\r\n")
    length = next((int(line.partition(":")[2]) for line in lines if line.startswith("content-length")), 0)
    body = b""
    while len(body) < length:
        piece = sock.recv(65536)
        if not piece:
            return False
        body += piece
    told = {"line": lines[0], "fields": lines[1:-2], "sha256": hashlib.sha256(body).hexdigest(), "length": length}
    sock.sendall(respond(lines[0], json.dumps(told).encode()))
    return True


def respond(line: str, body: bytes) -> bytes:
    """A response in the form that the path asks for."""
    if "/304" in line:
        return b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n'
    if "/204" in line:
        return b"HTTP/1.1 204 No Content\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    if "/chunks" in line:
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in (body[:10], body[10:]))
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    head += b"Content-Length: %d\r\n\r\n" % len(body)
    return head if line.startswith("HEAD") else head + body


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory, own_certificate: list[str], engine: str) -> Iterator[EdgeProcess]:
    with ScriptedOrigin(echo) as origin:
        flags = [*domains(), *own_certificate, "--upstream", f"127.0.0.1:{origin.port}", "--http2-engine", engine]
        with EdgeProcess(tmp_path_factory.mktemp(engine), *flags) as running:
            yield running


def curl(edge: EdgeProcess, path: str, *flags: str, given: bytes = b"") -> str:
    where = f"a.test:{edge.https_port}"
    command = ["curl", "--silent", "--show-error", "--insecure", "--max-time", "20", "--resolve", f"{where}:127.0.0.1"]
    done = subprocess.run([*command, f"https://{where}{path}", *flags], input=given, capture_output=True, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout.decode()


VERSIONS = pytest.mark.parametrize("version", ["--http1.0", "--http1.1", "--http2"])


@VERSIONS
@pytest.mark.parametrize("path", ["/length", "/chunks"])
def test_get(edge: EdgeProcess, version: str, path: str) -> None:
    """A response of known and of unknown length."""
    told = json.loads(curl(edge, path, version))
    assert told["line"] == f"GET {path} HTTP/1.1"
    assert told["length"] == 0


@VERSIONS
def test_head(edge: EdgeProcess, version: str) -> None:
    """The head alone, several times on a connection."""
    where = f"https://a.test:{edge.https_port}/x"
    shown = curl(edge, "/x", version, "--head", where)
    assert shown.count(" 200") == 2
    assert shown.count("content-length: ") == 2


@VERSIONS
@pytest.mark.parametrize("path", ["/204", "/304"])
def test_bodiless(edge: EdgeProcess, version: str, path: str) -> None:
    """No Content-Length, no chunk, and the connection goes on."""
    where = f"https://a.test:{edge.https_port}/x"
    shown = curl(edge, path, version, "--include", where)
    head = shown.partition("\r\n\r\n")[0]
    assert path[1:] in head.splitlines()[0]
    assert "content-length" not in head
    assert "transfer-encoding" not in head
    assert '"GET /x HTTP/1.1"' in shown


UPLOAD = bytes(range(256)) * 2000


@VERSIONS
@pytest.mark.parametrize("expect", ["Expect:", "Expect: 100-continue"], ids=["at once", "100-continue"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_upload_of_known_length(edge: EdgeProcess, version: str, expect: str, method: str, tmp_path: Path) -> None:
    """Byte for byte, whether the client waits for 100 or not."""
    if version == "--http1.0" and "100" in expect:
        pytest.skip("HTTP/1.0 has no interim responses: curl waits a second, then sends")
    path = tmp_path / "body"
    path.write_bytes(UPLOAD)
    told = json.loads(curl(edge, "/", version, "--request", method, "--data-binary", f"@{path}", "--header", expect))
    assert told["sha256"] == hashlib.sha256(UPLOAD).hexdigest()
    assert not [line for line in told["fields"] if line.startswith("expect")]


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("body", [b"", b"x", UPLOAD], ids=["empty", "one byte", "large"])
def test_upload_of_unknown_length(edge: EdgeProcess, version: str, body: bytes) -> None:
    """From a pipe: the application is told a length all the same."""
    told = json.loads(curl(edge, "/", version, "--upload-file", "-", given=body))
    assert told["sha256"] == hashlib.sha256(body).hexdigest()
    assert told["length"] == len(body)
    assert f"content-length: {len(body)}" in told["fields"]


@VERSIONS
def test_an_empty_post(edge: EdgeProcess, version: str) -> None:
    """The application sees Content-Length: 0, not a request without a body's framing (RFC 9110 §8.6)."""
    told = json.loads(curl(edge, "/", version, "--request", "POST", "--data", ""))
    assert "content-length: 0" in told["fields"]


@VERSIONS
def test_fields_pass(edge: EdgeProcess, version: str) -> None:
    """What the visitor says of himself arrives; empty and repeated fields too."""
    fields = ["X-One: 1", "X-One: 2", "X-Empty;", "Cookie: a=b; c=d", "Authorization: Basic x", "X-Latin: caf\xe9"]
    flags = [flag for field in fields for flag in ("--header", field)]
    told = json.loads(curl(edge, "/?q=%C3%A9&r=a+b//c", version, *flags))
    assert told["line"] == "GET /?q=%C3%A9&r=a+b//c HTTP/1.1"
    lines = told["fields"]
    assert [line for line in lines if line.startswith("x-one")] == ["x-one: 1", "x-one: 2"]
    assert {"cookie: a=b; c=d", "authorization: Basic x", "x-empty: "} <= set(lines)
    assert f"host: a.test:{edge.https_port}" in lines


def test_parallel_curls(edge: EdgeProcess) -> None:
    """Thirty transfers multiplexed on one connection."""
    where = f"https://a.test:{edge.https_port}/[1-30]"
    shown = curl(edge, "/first", "--http2", "--parallel", where)
    assert shown.count('"line"') == 31


def test_python_http_client(edge: EdgeProcess) -> None:
    """The standard library's client keeps a connection for many requests."""
    connection = http.client.HTTPSConnection(
        "127.0.0.1", edge.https_port, context=client_context("http/1.1"), timeout=10
    )
    statuses = []
    for number in range(50):
        body = b"x" * (number * 1000)
        connection.request("POST", "/chunks" if number % 2 else "/", body=body, headers={"Host": "b.test"})
        response = connection.getresponse()
        statuses.append(response.status)
        assert json.loads(response.read())["length"] == len(body)
    connection.close()
    assert statuses == [200] * 50


@pytest.mark.skipif(not shutil.which("h2load"), reason="h2load is not installed")
@pytest.mark.parametrize("flags", [["--h1"], ["-m", "1"], ["-m", "100"]], ids=["HTTP/1.1", "one stream", "100 streams"])
def test_h2load(edge: EdgeProcess, flags: list[str]) -> None:
    """Thousands of requests, no failure."""
    url = f"https://127.0.0.1:{edge.https_port}/"
    command = ["h2load", "-n", "3000", "-c", "10", *flags, "--connect-to", f"127.0.0.1:{edge.https_port}"]
    done = subprocess.run(
        [*command, url.replace("127.0.0.1", "a.test")], capture_output=True, text=True, check=True, timeout=30
    )
    found = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", done.stdout)
    assert found, done.stdout
    assert [int(each) for each in found.groups()] == [3000, 3000, 0, 0, 0], done.stdout


@pytest.mark.skipif(not shutil.which("nghttp"), reason="nghttp is not installed")
def test_nghttp(edge: EdgeProcess, tmp_path: Path) -> None:
    """A client with priorities and trailers, with and without an upload."""
    path = tmp_path / "body"
    path.write_bytes(UPLOAD)
    url = f"https://127.0.0.1:{edge.https_port}/"
    for flags in (
        [],
        ["--data", str(path)],
        ["--data", str(path), "--trailer", "x-trailer: 1"],
        ["--no-content-length", "--data", str(path)],
    ):
        done = subprocess.run(
            ["nghttp", "--header", f":authority: a.test:{edge.https_port}", *flags, url],
            capture_output=True, check=True, timeout=20,
        )  # fmt: skip
        told = json.loads(done.stdout)
        assert told["length"] == (len(UPLOAD) if flags else 0)


@VERSIONS
@pytest.mark.parametrize("size", [1_000, 60_000, 3_000_000])
def test_an_answer_that_does_not_wait_for_the_upload(
    edge: EdgeProcess, version: str, size: int, tmp_path: Path
) -> None:
    """The client sees it every time, however much it still has to send."""
    path = tmp_path / "body"
    path.write_bytes(b"x" * size)
    flags = ["--data-binary", f"@{path}", "--header", "Host: unknown.test", "--header", "Expect:"]
    for _ in range(5):
        shown = curl(edge, "/", version, *flags, "--output", "/dev/null", "--write-out", "%{http_code}")
        assert shown == "421"
