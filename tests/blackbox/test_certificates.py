"""Certificates as visitors see them, from a real CA: obtained, kept, and served while the CA is down."""

from __future__ import annotations

import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from tests.blackbox.acme_site import acme_edge, edge_certs, is_challenge, wait_issued
from tests.blackbox.asking import ask
from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.load import HandshakeLoad
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


def edge(
    tmp_path: Path, pebble: Pebble, origin: RecordingOrigin, *flags: str, plain: bool = True, debug: bool = False
) -> EdgeProcess:
    upstream = ("--upstream", f"127.0.0.1:{origin.port}")
    return acme_edge(tmp_path, pebble, *upstream, *flags, plain=plain, debug=debug)


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
    with edge(tmp_path, pebble, origin, "--domain", "c.test", plain=False) as process:
        with HandshakeLoad(pebble.tls_port, "c.test") as load:
            load.pause = 0.0
            wait_issued(process)
            load.wait_answered(20)
        assert load.failures == []
        seen = [x509.load_der_x509_certificate(leaf) for leaf in load.certificates]
        assert len(seen) == 2
        assert not any(map(is_challenge, seen))
        assert curl(pebble, tmp_path / "root.pem", "https://c.test/") == "ok\n"


@pytest.mark.parametrize("plain", [True, False], ids=["http-01", "tls-alpn-01"])
def test_an_address_is_a_name(tmp_path: Path, pebble: Pebble, origin: RecordingOrigin, plain: bool) -> None:
    """A CA that certifies IP addresses (RFC 8738) is asked for one; clients that name no server get it."""
    with edge(tmp_path, pebble, origin, "--domain", "127.0.0.1", plain=plain) as process:
        wait_issued(process)
        assert ask(process.https_port, "127.0.0.1", root=pebble.root()).body == b"ok\n"


def test_sites_have_certificates_of_their_own(tmp_path: Path, pebble: Pebble, origin: RecordingOrigin) -> None:
    """Several sites in a file: each name is served with a certificate that names it, and answered by its own site."""
    names = [f"site{number}.test" for number in range(4)]
    (tmp_path / "hello.txt").write_text("static\n")
    tables = [f'[[site]]\nnames = "{name}"\nstatic = {{ "/" = "{tmp_path}" }}\n' for name in names]
    config = tmp_path / "edge.toml"
    config.write_text("".join(tables))
    process = acme_edge(tmp_path, pebble, "--config", str(config))
    process.first_name = names[0]
    with process:
        wait_issued(process, len(names))
        root = pebble.root()
        assert {ask(process.https_port, name, "/hello.txt", root).body for name in names} == {b"static\n"}
    assert [each["state"] for each in edge_certs(process.storage)] == ["valid"] * len(names)


def test_nothing_secret_leaves_the_storage(tmp_path: Path, pebble: Pebble, origin: RecordingOrigin) -> None:
    """Private keys are for their owner's eyes; logs, command lines and environments hold neither keys nor key authorizations."""
    process = edge(tmp_path, pebble, origin, "--domain", "secret.test", debug=True)
    with process:
        wait_issued(process)
        tokens = _tokens(pebble)
        public = [
            Path(f"/proc/{pid}/{name}").read_text() for pid in process.processes() for name in ("cmdline", "environ")
        ]
    said = "".join([process.output, process.access_log.read_text(), *public])
    assert "PRIVATE KEY" not in said
    assert "BEGIN CERTIFICATE" not in said
    assert tokens
    assert not [token for token in tokens if f"{token}." in said]
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in process.storage.rglob("*") if not path.is_symlink()}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert stat.S_IMODE(process.storage.stat().st_mode) == 0o700
    for path in modes:
        if path.is_file() and path.name in ("privkey.pem", "key.pem"):
            assert b"PRIVATE KEY" in path.read_bytes()


def _tokens(pebble: Pebble) -> list[str]:
    """Challenge tokens that Pebble has asked for."""
    return re.findall(r"/\.well-known/acme-challenge/([A-Za-z0-9_-]+)", (pebble.directory / "pebble.log").read_text())


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
