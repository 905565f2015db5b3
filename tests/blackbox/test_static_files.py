"""Static files against path tricks and real clients, end to end."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blackbox.conftest import domains
from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.http2_visitor import HTTP2Visitor, request
from tests.blackbox.recording_origin import RecordingOrigin
from tests.blackbox.test_bodies import MAX_GROWTH, MemoryWatch
from tests.blackbox.visitor import Visitor, dial_tls
from tests.wire import http2_frames as wire

SECRET = b"root secret"
STYLE = b"body { color: black }\n" * 200


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory to serve, with everything around it that must not be served."""
    outside = tmp_path_factory.mktemp("tree")
    root = outside / "static"
    (root / "css").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / "emp ty").mkdir()
    (outside / "static-private").mkdir()
    for path in ("secret.txt", "static-private/secret.txt", "static/.env", "static/.git/config", "static/css/.hidden"):
        (outside / path).write_bytes(SECRET)
    (root / "css" / "a.css").write_bytes(STYLE)
    (root / "css" / ".hidden.gz").write_bytes(SECRET)
    (root / "a b.txt").write_bytes(b"spaced")
    (root / "large.bin").write_bytes(random.Random(3).randbytes(48 << 20))
    (root / "link-out").symlink_to(outside / "secret.txt")
    (root / "directory-out").symlink_to(outside)
    (root / "loop").symlink_to(root / "loop")
    (root / "absolute").symlink_to("/etc/passwd")
    os.mkfifo(root / "pipe")
    return root


@pytest.fixture(scope="module")
def edge(
    tmp_path_factory: pytest.TempPathFactory, tree: Path, origin: RecordingOrigin, own_certificate: list[str]
) -> Iterator[EdgeProcess]:
    flags = [*domains(), *own_certificate, "--static", f"/static={tree}", "--upstream", f"127.0.0.1:{origin.port}"]
    with EdgeProcess(tmp_path_factory.mktemp("edge"), *flags, workers=1) as running:
        yield running


TRICKS = [
    "/static/../secret.txt", "/static/css/../../secret.txt", "/static/%2e%2e/secret.txt", "/static/%2E%2E/secret.txt",
    "/static/.%2e/secret.txt", "/static/%252e%252e/secret.txt", "/static/..%2fsecret.txt", "/static/..%2Fsecret.txt",
    "/static/..%5csecret.txt", "/static/..%255csecret.txt", "/static/....//secret.txt", "/static/...//secret.txt",
    "/static/..;/secret.txt", "/static/%c0%ae%c0%ae/secret.txt", "/static/%c0%ae%c0%ae%c0%afsecret.txt",
    "/static/%uff0e%uff0e/secret.txt", "/static/css/a.css%00.jpg", "/static/css/a.css%00", "/static/%00/../secret.txt",
    "/static/.git/config", "/static/.env", "/static/css/.hidden", "/static/css/.hidden.gz", "/static/./.env",
    "/static/css/a.css/", "/static/css/a.css/.", "/static/css/a.css/..", "/static/css/a.css/x",
    "/static//etc/passwd", "/static///etc/passwd", "//static/../etc/passwd", "/static/%2fetc/passwd",
    "/static" + "/%2e%2e%2f" * 10 + "etc/passwd", "/static" + "/.." * 20 + "/etc/passwd", "/static/" + "../" * 20 + "etc/passwd",
    "/static/" + "a" * 5000, "/static" + "/a" * 4000, "/static" + "/." * 3000 + "/.env", "/static" + "/" * 5000,
    "/static/link-out", "/static/directory-out/secret.txt", "/static/loop", "/static/absolute", "/static/pipe",
    "/static/css", "/static/css/", "/static/", "/static", "/static/emp%20ty", "/static/emp%20ty/",
    "/static-private/secret.txt", "/static%2dprivate/secret.txt", "/static../static-private/secret.txt",
    "/static..%2fstatic-private/secret.txt", "/static/../static-private/secret.txt", "/static%2f..%2fsecret.txt",
    "/STATIC/.env", "/static/css/a.css%20", "/static/css/a.css.", "/static/css/a.css::$DATA", "/static/CSS~1/a.css",
    "/static/C:/secret.txt", "/static/CON", "/static/\\..\\secret.txt", "/static/%5c..%5csecret.txt",
    "/static/%", "/static/%2", "/static/%zz", "/static/%2e%2e", "/static/..", "/static/.", "/static/%2e",
    "/static/proc/self/environ", "/static/..%c0%af..%c0%afsecret.txt", "/static/%ff", "/static/css%2fa.css",
    "/static/css/%61.css?x=../../secret.txt", "/static/css/a.css?../../secret.txt", "/./static/../secret.txt",
    "/a/../static/../secret.txt", "/%2e/static/.env", "/static/css/a.css#x", "/static/css/\x01", "/static/é",
]  # fmt: skip

HARMLESS = ("/static/css/%61.css?x=../../secret.txt", "/static/css/a.css?../../secret.txt")
"""The only ones that name a file: a query is no path."""


def answer(edge: EdgeProcess, target: str) -> tuple[int, bytes]:
    with Visitor(dial_tls(edge.https_port)) as visitor:
        visitor.send(b"GET " + target.encode() + b" HTTP/1.1\r\nHost: a.test\r\n\r\n")
        response = visitor.read()
        return response.status, response.body


def test_tricks_over_http1(edge: EdgeProcess, origin: RecordingOrigin) -> None:
    """Nothing outside of the directory, nothing hidden, no directory, no device: 4xx, at once."""
    origin.answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\napp\n"
    began = time.monotonic()
    found = {target: answer(edge, target) for target in TRICKS}
    assert time.monotonic() - began < 10
    for target, (status, body) in found.items():
        if target in HARMLESS:
            assert (status, body) == (200, STYLE), target
        else:
            assert 300 <= status < 500, (target, status)
            assert SECRET not in body, target
            assert b"root:" not in body, target


def test_tricks_over_http2(edge: EdgeProcess, origin: RecordingOrigin) -> None:
    """The same over HTTP/2, on one connection."""
    origin.answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\napp\n"
    with HTTP2Visitor(edge.https_port) as visitor:
        for number, target in enumerate(TRICKS):
            stream_id = 2 * number + 1
            visitor.send(wire.headers(stream_id, request(target.encode())))
            outcome = visitor.wait(stream_id)
            assert target in HARMLESS or outcome == "reset" or 300 <= int(outcome) < 500, (target, outcome)
            assert SECRET not in visitor.body(stream_id), target
            assert b"root:" not in visitor.body(stream_id), target


def curl(edge: EdgeProcess, path: str, *flags: str, code: int = 0) -> str:
    where = f"a.test:{edge.https_port}"
    command = ["curl", "--silent", "--insecure", "--path-as-is", "--max-time", "20", "--resolve", f"{where}:127.0.0.1"]
    done = subprocess.run([*command, f"https://{where}{path}", *flags], capture_output=True, check=False)
    assert done.returncode == code, (done.returncode, done.stderr)
    return done.stdout.decode("latin-1")


VERSIONS = pytest.mark.parametrize("version", ["--http1.1", "--http2", "--http1.0"])


@VERSIONS
def test_curl_sees_no_secret(edge: EdgeProcess, version: str) -> None:
    """With a client that normalises nothing."""
    for target in TRICKS[:20]:
        assert "secret" not in curl(edge, target, version)


@VERSIONS
def test_a_file(edge: EdgeProcess, version: str) -> None:
    """Whole, with length, type and validators."""
    shown = curl(edge, "/static/css/a.css", version, "--include")
    head, _, body = shown.partition("\r\n\r\n")
    assert body == STYLE.decode()
    assert "content-type: text/css" in head
    assert f"content-length: {len(STYLE)}" in head
    assert "etag: " in head
    assert curl(edge, "/static/a%20b.txt", version) == "spaced"


@VERSIONS
def test_head(edge: EdgeProcess, version: str) -> None:
    """The same head without the body."""
    shown = curl(edge, "/static/css/a.css", version, "--head")
    assert f"content-length: {len(STYLE)}" in shown
    assert "body {" not in shown


@VERSIONS
def test_ranges(edge: EdgeProcess, version: str) -> None:
    """One part, the end, beyond the end, nonsense, too many parts (RFC 9110 §14)."""
    path = "/static/css/a.css"
    text = STYLE.decode()
    assert curl(edge, path, version, "--range", "0-3") == text[:4]
    assert curl(edge, path, version, "--range", "-5") == text[-5:]
    assert curl(edge, path, version, "--range", "4390-99999") == text[4390:]
    assert "416" in curl(
        edge, path, version, "--range", "99999-", "--output", "/dev/null", "--write-out", "%{http_code}"
    )
    many = ",".join(f"{n}-{n}" for n in range(0, 2000, 2))
    assert len(curl(edge, path, version, "--range", many)) < 4 * len(STYLE)
    assert curl(edge, path, version, "--header", "Range: bytes=x") == text
    assert curl(edge, path, version, "--header", "Range: lines=0-3") == text
    assert curl(edge, path, version, "--header", "Range: bytes=0-3", "--header", 'If-Range: "other"') == text


@VERSIONS
def test_conditional(edge: EdgeProcess, version: str, tmp_path: Path) -> None:
    """304 to whoever has it already."""
    path = "/static/css/a.css"
    status = ("--output", "/dev/null", "--write-out", "%{http_code}")
    etag = next(
        line.partition(": ")[2].strip() for line in curl(edge, path, version, "--head").splitlines() if "etag" in line
    )
    assert curl(edge, path, version, "--header", f"If-None-Match: {etag}", *status) == "304"
    assert curl(edge, path, version, "--header", "If-None-Match: *", *status) == "304"
    assert curl(edge, path, version, "--header", 'If-None-Match: "x"', *status) == "200"
    assert curl(edge, path, version, "--header", 'If-Match: "x"', *status) == "412"
    assert curl(edge, path, version, "--time-cond", "1 Jan 2099", *status) == "304"


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_encodings(edge: EdgeProcess, coding: str) -> None:
    """What curl can undo comes out the same; its ETag is not that of the plain file."""
    path = "/static/css/a.css"
    assert curl(edge, path, "--compressed", "--header", f"Accept-Encoding: {coding}") == STYLE.decode()
    plain = curl(edge, path, "--head")
    coded = curl(edge, path, "--head", "--header", f"Accept-Encoding: {coding}")
    if f"content-encoding: {coding}" in coded:
        etags = [next(line for line in each.splitlines() if line.startswith("etag")) for each in (plain, coded)]
        assert etags[0] != etags[1]
        assert "vary: accept-encoding" in coded.lower()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_only_reading_is_allowed(edge: EdgeProcess, method: str) -> None:
    """405 with Allow; a body that comes along is read or the connection closes."""
    shown = curl(edge, "/static/css/a.css", "--request", method, "--include", "--data", "x" * 1000)
    assert "405" in shown.splitlines()[0]
    assert "allow: GET, HEAD" in shown


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_a_large_file_to_a_slow_reader(edge: EdgeProcess, tree: Path, version: str) -> None:
    """Every byte arrives, and memory does not grow with the file."""
    digest = hashlib.sha256((tree / "large.bin").read_bytes()).hexdigest()
    with MemoryWatch(edge) as memory:
        shown = curl(edge, "/static/large.bin", version, "--limit-rate", "40M")
    assert hashlib.sha256(shown.encode("latin-1")).hexdigest() == digest
    assert memory.growth < MAX_GROWTH


def test_many_ranges_of_a_large_file(edge: EdgeProcess) -> None:
    """A thousand overlapping parts are not a thousand times the file (CVE-2011-3192)."""
    parts = ",".join(["0-"] * 1000)
    shown = curl(
        edge, "/static/css/a.css", "--range", parts, "--write-out", "%{size_download}", "--output", "/dev/null"
    )
    assert int(shown) < 4 * len(STYLE)


def test_a_replaced_file_is_never_mixed(edge: EdgeProcess, tree: Path) -> None:
    """While it is replaced again and again every answer is one version, whole."""
    path = tree / "changing.txt"
    versions = [bytes((65 + number,)) * 300_000 for number in range(8)]
    path.write_bytes(versions[0])
    with Visitor(dial_tls(edge.https_port)) as visitor:
        for number in range(40):
            temporary = tree / f"new{number}.tmp"
            temporary.write_bytes(versions[number % 8])
            temporary.rename(path)
            visitor.send(b"GET /static/changing.txt HTTP/1.1\r\nHost: a.test\r\n\r\n")
            assert visitor.read().body in versions
