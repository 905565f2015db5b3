"""An edge that orders at Pebble, and what a visitor who trusts Pebble's root sees of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cryptography import x509

from tests.blackbox.asking import connect_tls
from tests.blackbox.edge_process import REPOSITORY, EdgeProcess
from tests.pebble import Pebble

ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
"""id-pe-acmeIdentifier (RFC 8737 §3), the mark of a challenge certificate."""

ISSUED = '"event":"certificate issued"'


def acme_edge(
    tmp_path: Path, pebble: Pebble, *flags: str, plain: bool = True, workers: int = 2, debug: bool = False
) -> EdgeProcess:
    """An edge on the ports that Pebble looks at; `plain` False leaves it only the TLS port. Add `--domain`."""
    directory = ("--acme-directory", pebble.directory_url, "--acme-ca-file", str(pebble.ca_file))
    edge = EdgeProcess(tmp_path, *directory, *flags, workers=workers, env={"EDGE_DEBUG": "1"} if debug else None)
    edge.http_port = pebble.http_port if plain else 0
    edge.https_port = pebble.tls_port
    return edge


def wait_issued(edge: EdgeProcess, certificates: int = 1) -> None:
    """Until so many certificates have been issued since the start."""
    edge.wait_until(lambda: edge.output.count(ISSUED) >= certificates)


def served_certificate(port: int, name: str, root: bytes | None = None) -> x509.Certificate:
    """The leaf that a new handshake shows. With `root` it must be good. Raises: OSError."""
    with connect_tls(port, name, root) as sock:
        leaf = sock.getpeercert(binary_form=True)
    assert leaf is not None
    return x509.load_der_x509_certificate(leaf)


def is_challenge(certificate: x509.Certificate) -> bool:
    """Whether this is for a CA's eyes only."""
    return any(extension.oid == ACME_IDENTIFIER for extension in certificate.extensions)


def edge_certs(storage: Path) -> list[dict[str, Any]]:
    """What `edge certs --json` says."""
    command = [sys.executable, "-m", "edge", "certs", "--storage", str(storage), "--json"]
    output = subprocess.run(command, cwd=REPOSITORY, check=False, capture_output=True, timeout=20).stdout
    found: list[dict[str, Any]] = json.loads(output)
    return found
