"""Certificates as visitors see them, from a real CA: obtained, kept, and served while the CA is down."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.recording_origin import RecordingOrigin
from tests.pebble.server import Pebble


@pytest.fixture(scope="module")
def pebble() -> Iterator[Pebble]:
    with Pebble(nonce_reject=15) as running:
        yield running


@pytest.fixture
def origin() -> Iterator[RecordingOrigin]:
    with RecordingOrigin() as running:
        yield running


def edge(tmp_path: Path, pebble: Pebble, origin: RecordingOrigin, *flags: str) -> EdgeProcess:
    process = EdgeProcess(
        tmp_path,
        *("--upstream", f"127.0.0.1:{origin.port}"),
        *("--acme-directory", pebble.directory_url, "--acme-ca-file", str(pebble.ca_file)),
        *flags,
    )
    process.http_port, process.https_port = pebble.http_port, pebble.tls_port
    return process


def curl(pebble: Pebble, root: Path, url: str, *flags: str) -> str:
    root.write_bytes(pebble.root())
    port = pebble.tls_port
    host = url.partition("://")[2].partition("/")[0]
    command = ["curl", "--silent", "--show-error", "--cacert", str(root), "--max-time", "10"]
    command += ["--resolve", f"{host}:{port}:127.0.0.1", *flags, url.replace(host, f"{host}:{port}")]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_certificate_is_obtained_over_http(tmp_path: Path, pebble: Pebble, origin: RecordingOrigin) -> None:
    """From nothing to HTTPS with a valid chain, over HTTP/2 and HTTP/1.1, although the CA rejects 15 % of the nonces."""
    with edge(tmp_path, pebble, origin, "--domain", "a.test") as process:
        process.wait_for("certificate issued")
        for version in ("--http2", "--http1.1"):
            assert curl(pebble, tmp_path / "root.pem", "https://a.test/x", version) == "ok\n"


def test_a_restart_orders_nothing(tmp_path: Path, pebble: Pebble, origin: RecordingOrigin) -> None:
    """What is on disk is served at once, and the CA is not asked for an order again."""
    with edge(tmp_path, pebble, origin, "--domain", "b.test") as process:
        process.wait_for("certificate issued")
    orders = pebble.requests("/order-plz")
    with edge(tmp_path, pebble, origin, "--domain", "b.test"):
        assert curl(pebble, tmp_path / "root.pem", "https://b.test/") == "ok\n"
    assert pebble.requests("/order-plz") == orders


def test_without_port_80_the_handshake_proves_the_name(tmp_path: Path, pebble: Pebble, origin: RecordingOrigin) -> None:
    """TLS-ALPN-01 when plain HTTP is off; visitors meanwhile see the placeholder, never the challenge certificate."""
    process = edge(tmp_path, pebble, origin, "--domain", "c.test")
    process.http_port = 0
    with process:
        process.wait_for("certificate issued")
        assert curl(pebble, tmp_path / "root.pem", "https://c.test/") == "ok\n"


def test_several_names_share_a_site(tmp_path: Path, pebble: Pebble, origin: RecordingOrigin) -> None:
    """Every name of a site is served with a certificate that covers it."""
    with edge(tmp_path, pebble, origin, "--domain", "d.test", "--domain", "www.d.test") as process:
        process.wait_until(lambda: process.output.count("certificate issued") == 2)
        for name in ("d.test", "www.d.test"):
            assert curl(pebble, tmp_path / "root.pem", f"https://{name}/") == "ok\n"


def test_a_ca_that_is_down_delays_nothing(tmp_path: Path, pebble: Pebble, origin: RecordingOrigin) -> None:
    """edge serves at once, with a placeholder, and says what it waits for."""
    process = EdgeProcess(
        tmp_path,
        *("--upstream", f"127.0.0.1:{origin.port}", "--domain", "e.test"),
        *("--acme-directory", "https://localhost:9/dir", "--acme-ca-file", str(pebble.ca_file)),
    )
    with process:
        process.wait_for("e.test")
        reply = subprocess.run(
            [
                "curl",
                "-sk",
                "--resolve",
                f"e.test:{process.https_port}:127.0.0.1",
                f"https://e.test:{process.https_port}/",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        assert reply.stdout == "ok\n"
