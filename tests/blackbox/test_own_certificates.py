"""Certificates without a CA on the network: the operator's own files, and the local CA for names of this machine."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from edge.tls.certified_key import CertifiedKey
from tests.blackbox.acme_site import edge_certs, served_certificate
from tests.blackbox.asking import ask, wait_until
from tests.blackbox.edge_process import REPOSITORY, EdgeProcess, free_port
from tests.blackbox.load import HandshakeLoad
from tests.certificates import make_certified_key


class Pair:
    """Two files, and the flags that name them."""

    def __init__(self, directory: Path) -> None:
        self.chain, self.key = directory / "chain.pem", directory / "key.pem"
        self.flags = ("--domain", "own.test", "--cert", str(self.chain), "--key", str(self.key))

    def write(self, certified: CertifiedKey) -> int:
        """Replace both, one after the other as renewal tools do; the serial number."""
        self.chain.write_bytes(certified.chain)
        self.key.write_bytes(certified.key)
        return x509.load_pem_x509_certificate(certified.chain).serial_number


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    pair = Pair(tmp_path)
    pair.write(make_certified_key("own.test"))
    return pair


def served_serial(edge: EdgeProcess) -> int:
    return served_certificate(edge.https_port, "own.test").serial_number


def test_replaced_files_are_served_after_a_reload(tmp_path: Path, pair: Pair) -> None:
    """The new pair in all workers, without a failed handshake; no CA is asked about names it covers."""
    first = pair.write(make_certified_key("own.test"))
    with EdgeProcess(tmp_path, *pair.flags) as edge, HandshakeLoad(edge.https_port, "own.test") as load:
        assert served_serial(edge) == first
        second = pair.write(make_certified_key("own.test"))
        edge.process.send_signal(signal.SIGHUP)
        edge.wait_for('"serving","generation":2,')
        wait_until(lambda: len(edge.workers()) == 2)
        load.certificates.clear()
        load.wait_answered(50)
        assert {x509.load_der_x509_certificate(leaf).serial_number for leaf in load.certificates} == {second}
        assert load.failures == []
        assert "certificate progress" not in edge.output


def test_half_a_replacement_keeps_the_old_pair(tmp_path: Path, pair: Pair) -> None:
    """A key that does not fit is reported, and what was read before stays in service, also in workers started later."""
    first = pair.write(make_certified_key("own.test"))
    with EdgeProcess(tmp_path, *pair.flags) as edge:
        pair.key.write_bytes(make_certified_key("own.test").key)
        edge.process.send_signal(signal.SIGHUP)
        edge.wait_for('"serving","generation":2,')
        edge.wait_for("is not the key of")
        assert served_serial(edge) == first


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_pair_that_does_not_fit_is_a_complaint(tmp_path: Path, pair: Pair, command: str) -> None:
    """At the start it is the operator's mistake: one sentence with both names, exit status 2."""
    pair.key.write_bytes(make_certified_key("own.test").key)
    flags = [*pair.flags, "--storage", str(tmp_path / "storage"), "--http-port", "0", "--https-port", str(free_port())]
    done = subprocess.run(
        [sys.executable, "-m", "edge", command, *flags],
        cwd=REPOSITORY,
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 2
    assert f"{pair.key} is not the key of {pair.chain}" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_local_root_outlives_a_restart(tmp_path: Path) -> None:
    """Whoever has trusted it once need not do it again; the certificate is kept too."""
    with EdgeProcess(tmp_path) as edge:
        edge.wait_for('"certificate issued"')
        root = edge.root.read_bytes()
        first = served_certificate(edge.https_port, "localhost", root)
    with EdgeProcess(tmp_path) as edge:
        assert ask(edge.https_port, root=root).status == 404
        assert served_certificate(edge.https_port, "localhost", root) == first
        assert "certificate issued" not in edge.output
    assert [(each["names"], each["state"]) for each in edge_certs(edge.storage)] == [(["localhost"], "valid")]
