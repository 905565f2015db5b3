"""`edge doctor` and the look before a first order, with a real edge, a real CA and a DNS of our own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blackbox.acme_site import acme_edge, wait_issued
from tests.blackbox.edge_process import REPOSITORY
from tests.certs.doctor.public_dns import PublicDNS
from tests.pebble.server import Pebble


@pytest.fixture(scope="module")
def pebble() -> Iterator[Pebble]:
    with Pebble() as running:
        yield running


def edge_command(*words: str | Path, status: int) -> str:
    """What `edge WORDS` has said on both streams."""
    command = [sys.executable, "-m", "edge", *map(str, words)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_no_order_while_it_is_certain_to_fail(tmp_path: Path, pebble: Pebble) -> None:
    """Broken DNSSEC: told before edge runs and while it runs, the CA sees no order until it is mended."""
    with PublicDNS() as dns:
        dns.records["a.test", "A"] = ["127.0.0.1"]
        dns.bogus.add("a.test")
        config = tmp_path / "edge.toml"
        resolver = f"127.0.0.1:{dns.port}"
        config.write_text(f'[[site]]\nnames = "a.test"\n[acme]\npublic_resolvers = ["{resolver}", "{resolver}"]\n')
        edge = acme_edge(tmp_path, pebble, "--config", str(config), "--domain", "a.test")
        flags = ("--config", config, "--storage", edge.storage, "--acme-directory", pebble.directory_url)
        ports = (
            "--acme-ca-file",
            str(pebble.ca_file),
            "--http-port",
            str(pebble.http_port),
            "--https-port",
            str(pebble.tls_port),
        )
        before = edge_command("doctor", "a.test", *flags, *ports, status=1)
        assert "refused  DNSSEC: the signatures of the zone of a.test do not fit" in before
        assert "ok       clock: agrees" in before
        assert "ok       storage: can be written" in before
        with edge:
            edge.wait_until(lambda: '"phase":"preflight"' in edge.output)
            assert "the CA was not asked" in edge.output
            assert "refused  DNSSEC: " in edge_command("doctor", "A.test", *flags, *ports, status=1)
            assert "not renewed: preflight: " in edge_command("certs", "renew", "a.test", *flags, *ports, status=1)
            assert pebble.requests("/order-plz") == pebble.requests("/sign-me-up") == 0
            dns.bogus.clear()
            edge_command("certs", "renew", "a.test", *flags, *ports, status=0)
            wait_issued(edge)
            assert "ok       DNSSEC: " in edge_command("doctor", "a.test", *flags, *ports, status=1)
            assert pebble.requests("/order-plz") == 1


def test_names_that_are_no_names(tmp_path: Path) -> None:
    """A usage error; a private name needs nobody outside."""
    assert "edge: " in edge_command("doctor", "a b", "--storage", tmp_path, status=2)
    told = edge_command("doctor", "localhost", "--storage", tmp_path, "--http-port", "0", status=0)
    assert "ok       CA: localhost is no public name" in told
