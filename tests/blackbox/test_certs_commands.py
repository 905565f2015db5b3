"""`edge certs …` against a running edge and a real CA: renewed, revoked, imported, told."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge.certs.acme.account import account_directory
from edge.certs.chain import read_leaf
from tests.blackbox.acme_site import acme_edge, edge_certs, served_certificate, wait_issued
from tests.blackbox.edge_process import REPOSITORY, EdgeProcess, free_port
from tests.blackbox.load import HandshakeLoad
from tests.certificates import make_certified_key
from tests.certs.certbot_layout import CertbotLayout
from tests.certs.material import issue
from tests.certs.sinks import HTTPSink, MailSink
from tests.pebble.server import Pebble


@pytest.fixture(scope="module")
def pebble() -> Iterator[Pebble]:
    with Pebble(nonce_reject=15) as running:
        yield running


def certs(*words: str | Path, status: int = 0) -> str:
    """What `edge certs WORDS` has said on both streams."""
    command = [sys.executable, "-m", "edge", "certs", *map(str, words)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def serial(edge: EdgeProcess, name: str) -> str:
    return f"{served_certificate(edge.https_port, name).serial_number:x}"


def test_renewed_and_revoked_while_visitors_come(tmp_path: Path, pebble: Pebble) -> None:
    """By the running edge, without a failed handshake: the CA knows the old certificates as revoked, visitors get the new one."""
    with acme_edge(tmp_path, pebble, "--domain", "a.test") as edge:
        wait_issued(edge)
        where = ("--storage", edge.storage)
        serials = [serial(edge, "a.test")]
        with HandshakeLoad(pebble.tls_port, "a.test") as load:
            for words in (("renew", "--force"), ("revoke", "--yes"), ("revoke", "--yes", "--reason", "key-compromise")):
                certs(words[0], "a.test", *words[1:], *where)
                edge.wait_until(lambda: serial(edge, "a.test") != serials[-1])
                serials.append(serial(edge, "a.test"))
            load.wait_answered(5)
        assert load.failures == []
        assert [pebble.certificate_status(each) for each in serials] == ["Valid", "Revoked", "Revoked", "Valid"]
        details = certs("a.test", *where)
        assert details.count(" issued by ") == 4
        assert details.count(" revoked by ") == 2
        assert "revoked (" not in edge.output
        assert "no certificate for b.test" in certs("b.test", *where, status=1)


def test_without_a_running_edge_one_is_started(tmp_path: Path, pebble: Pebble) -> None:
    """For as long as the renewal takes; the account gets another key the same way, and both go on together."""
    with acme_edge(tmp_path, pebble, "--domain", "b.test") as edge:
        wait_issued(edge)
    flags = edge.flags
    del flags[flags.index("--access-log") : flags.index("--access-log") + 2]
    (key,) = edge.storage.glob("accounts/*/key.pem")
    before = key.read_bytes()
    assert "the account has a new key" in certs("account", "new-key", *flags)
    assert key.read_bytes() != before
    assert "a new certificate from localhost" in certs("renew", "b.test", "--force", *flags)
    assert pebble.requests("/sign-me-up") >= 1
    assert len(edge_certs(edge.storage)[0]["history"]) == 4


def test_a_site_moves_from_certbot_without_an_order(tmp_path: Path, pebble: Pebble) -> None:
    """The certificate is served at once, and renewed with certbot's account, so that the CA is told the predecessor."""
    layout = _obtained_by_certbot("c.test", tmp_path, pebble)
    edge = acme_edge(tmp_path / "new", pebble, "--domain", "c.test")
    where = ("--storage", edge.storage, "--acme-directory", pebble.directory_url)
    assert "c.test: would be taken over" in certs("import", layout.root, "--dry-run", *where)
    assert not edge.storage.exists()
    assert "c.test: taken over" in certs("import", layout.root, *where)
    orders, accounts = pebble.requests("/order-plz"), pebble.requests("/sign-me-up")
    with edge:
        imported = serial(edge, "c.test")
        assert served_certificate(edge.https_port, "c.test", pebble.root())
        assert pebble.requests("/order-plz") == orders
        certs("renew", "c.test", "--force", "--storage", edge.storage)
        assert serial(edge, "c.test") != imported
    assert "ordering without naming the predecessor" not in edge.output
    assert pebble.requests("/sign-me-up") == accounts
    assert "account registered" not in edge.output


def _obtained_by_certbot(name: str, tmp_path: Path, pebble: Pebble) -> CertbotLayout:
    """A certificate and an account with an RSA key, both known to the CA, laid out as certbot does."""
    layout = CertbotLayout(tmp_path / "letsencrypt")
    edge = acme_edge(tmp_path / "old", pebble, "--domain", name)
    account = edge.storage / account_directory(pebble.directory_url, "")
    account.mkdir(parents=True)
    edge.storage.chmod(0o700)
    (edge.storage / "VERSION").write_text("1\n")
    key = rsa.generate_private_key(65537, 2048)
    (account / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with edge:
        wait_issued(edge)
    (current,) = edge.storage.glob(f"certs/{name}-*/current")
    chain, private_key = (current / "fullchain.pem").read_bytes(), (current / "privkey.pem").read_bytes()
    layout.add_lineage(name, chain, private_key, server=pebble.directory_url)
    url = json.loads((account / "account.json").read_bytes())["url"]
    layout.add_account(url, server=pebble.directory_url, key=key)
    return layout


def test_an_imported_certificate_is_served_at_once(tmp_path: Path, pebble: Pebble) -> None:
    """Also by an edge that runs already, in place of an older one."""
    chain, key = issue("d.test", now=time.time() + 60)
    (tmp_path / "c.pem").write_bytes(chain)
    (tmp_path / "k.pem").write_bytes(key)
    with acme_edge(tmp_path, pebble, "--domain", "d.test") as edge:
        wait_issued(edge)
        said = certs("import", "--pair", tmp_path / "c.pem", tmp_path / "k.pem", "--storage", edge.storage)
        assert "the running edge serves what is new" in said
        edge.wait_until(lambda: serial(edge, "d.test") == read_leaf(chain).serial)


def test_somebody_hears_that_a_certificate_runs_out(tmp_path: Path) -> None:
    """By program, webhook and mail; the metrics say it, too."""
    pair = make_certified_key("e.test", days=5, age=85)
    (tmp_path / "c.pem").write_bytes(pair.chain)
    (tmp_path / "k.pem").write_bytes(pair.key)
    port = free_port()
    with HTTPSink() as hook, MailSink() as mail:
        config = tmp_path / "edge.toml"
        config.write_text(f"""
            [[site]]
            names = "e.test"
            cert = "c.pem"
            key = "k.pem"
            [metrics]
            listen = {port}
            [notify]
            command = ["/bin/sh", "-c", "cat >> {tmp_path}/told"]
            webhook = "{hook.url}/x"
            [notify.email]
            to = "ops@example.com"
            server = "127.0.0.1:{mail.port}"
            encryption = "none"
        """)
        assert certs("test-notify", "--config", config).count(": sent") == 3
        (tmp_path / "told").unlink()
        edge = EdgeProcess(tmp_path, "--config", str(config))
        edge.first_name = "e.test"
        with edge:
            edge.wait_until((edge.storage / "notices.json").exists)
            numbers = _metrics(port)
        assert 'edge_certificate_attention{name="e.test",issuer="own"} 1' in numbers
        assert json.loads((tmp_path / "told").read_text())["certificates"][0]["names"] == ["e.test"]
        assert [json.loads(body)["subject"] for _, _, body in hook.received][1:] == [
            "edge: the certificate of e.test runs out"
        ]
        assert [message["Subject"] for _, _, message in mail.received][1:] == [
            "edge: the certificate of e.test runs out"
        ]


def _metrics(port: int) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
        return text.splitlines()
