"""Obtain a certificate from an ACME CA with edge, as a new operator would, and check that it is served.

    python3 .github/obtain_certificate.py --domain example.com --acme-directory letsencrypt-staging

edge starts with an empty storage directory and serves one page. Exit status 0: port 443 showed a certificate from the CA for
the domain, port 80 redirected, and edge stopped in an orderly way. Needs edge installed in this Python.
"""

from __future__ import annotations

import argparse
import http.client
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cryptography import x509


def parse_arguments() -> argparse.Namespace:
    """Where to get the certificate, and on which ports to answer for it."""
    parser = argparse.ArgumentParser(description="Obtain a certificate with edge and check that it is served.")
    parser.add_argument("--domain", required=True, help="a name that points to this machine")
    parser.add_argument("--acme-directory", default="letsencrypt-staging")
    parser.add_argument("--acme-ca-file", help="trust root of the directory's own TLS, for test CAs")
    parser.add_argument("--http-port", type=int, default=80)
    parser.add_argument("--https-port", type=int, default=443)
    parser.add_argument("--seconds", type=float, default=300.0, help="how long it may take")
    return parser.parse_args()


def start_edge(arguments: argparse.Namespace, directory: Path) -> subprocess.Popen[bytes]:
    """edge with one page to serve, talking to this script's own output."""
    site = directory / "site"
    site.mkdir()
    (site / "index.html").write_text("<!doctype html><title>edge</title><p>It works.\n")
    command = [sys.executable, "-m", "edge", "--domain", arguments.domain, "--static", f"/={site}"]
    command += ["--acme-directory", arguments.acme_directory, "--storage", str(directory / "storage")]
    command += ["--http-port", str(arguments.http_port), "--https-port", str(arguments.https_port), "--workers", "2"]
    if arguments.acme_ca_file:
        command += ["--acme-ca-file", arguments.acme_ca_file]
    return subprocess.Popen(command)  # noqa: S603  # the words are our own and those of whoever runs this


def shown_certificate(domain: str, port: int) -> x509.Certificate | None:
    """What this machine shows for the domain; None while it shows nothing. Whether it is trusted is not asked: staging is not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as sock,
            context.wrap_socket(sock, server_hostname=domain) as tls,
        ):
            found = tls.getpeercert(binary_form=True)
    except OSError:
        return None
    return x509.load_der_x509_certificate(found) if found else None


def wait_for_certificate(arguments: argparse.Namespace, edge: subprocess.Popen[bytes]) -> x509.Certificate:
    """The first certificate that is not edge's own placeholder."""
    give_up_at = time.monotonic() + arguments.seconds
    while time.monotonic() < give_up_at:
        if edge.poll() is not None:
            sys.exit(f"edge ended with status {edge.returncode}")
        certificate = shown_certificate(arguments.domain, arguments.https_port)
        if certificate is not None and certificate.issuer != certificate.subject:
            return certificate
        time.sleep(0.25)
    sys.exit(f"no certificate after {arguments.seconds:g} s")


def check(certificate: x509.Certificate, arguments: argparse.Namespace) -> None:
    """The certificate is for the domain, and plain HTTP leads to https."""
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if arguments.domain not in names.get_values_for_type(x509.DNSName):
        sys.exit(f"the certificate is not for {arguments.domain}: {names}")
    connection = http.client.HTTPConnection("127.0.0.1", arguments.http_port, timeout=10)
    connection.request("GET", "/", headers={"Host": arguments.domain})
    response = connection.getresponse()
    location = response.headers.get("location", "")
    connection.close()
    if response.status != 308 or not location.startswith(f"https://{arguments.domain}"):
        sys.exit(f"port {arguments.http_port} answered {response.status} {location}")


def stop(edge: subprocess.Popen[bytes]) -> int:
    """SIGTERM; the exit status."""
    if edge.poll() is None:
        edge.send_signal(signal.SIGTERM)
    return edge.wait(60)


def main() -> int:
    """The exit status."""
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="edge-") as directory:
        edge = start_edge(arguments, Path(directory))
        try:
            certificate = wait_for_certificate(arguments, edge)
            check(certificate, arguments)
        finally:
            status = stop(edge)
    print(
        f"{arguments.domain}: issued by {certificate.issuer.rfc4514_string()}, until {certificate.not_valid_after_utc}"
    )
    return status


if __name__ == "__main__":
    sys.exit(main())
