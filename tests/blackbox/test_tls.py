"""TLS as strangers try it: names, protocol versions, ALPN, resumption."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
from collections.abc import Iterator

import pytest
from cryptography import x509

from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.http2_visitor import HTTP2Visitor, request
from tests.blackbox.recording_origin import RecordingOrigin
from tests.blackbox.visitor import Visitor, client_context, dial, dial_tls
from tests.certificates import make_certified_key
from tests.wire import http2_frames as wire


@pytest.fixture(scope="module")
def two_sites(tmp_path_factory: pytest.TempPathFactory, origin: RecordingOrigin) -> Iterator[EdgeProcess]:
    """one.test and two.test with certificates of their own, *.wild.test with a wildcard; four workers."""
    directory = tmp_path_factory.mktemp("two")
    config: list[str] = []
    for number, name in enumerate(("one.test", "two.test", "*.wild.test")):
        key = make_certified_key(name)
        (directory / f"{number}.pem").write_bytes(key.chain)
        (directory / f"{number}.key").write_bytes(key.key)
        config += [
            "[[site]]",
            f'names = "{name}"',
            f'upstream = "127.0.0.1:{origin.port}"',
            f'cert = "{directory}/{number}.pem"',
            f'key = "{directory}/{number}.key"',
        ]
    (directory / "edge.toml").write_text("\n".join(config))
    process = EdgeProcess(directory, "--config", str(directory / "edge.toml"), workers=4)
    process.start().wait_ready("one.test")
    yield process
    assert process.stop() == 0
    assert "Traceback" not in process.output


def subject(tls: ssl.SSLSocket) -> str:
    """The common name in the certificate that was shown."""
    der = tls.getpeercert(binary_form=True)
    assert der
    attribute = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0]
    return str(attribute.value)


def test_the_server_name_chooses_the_certificate(two_sites: EdgeProcess) -> None:
    """Exactly, in any case, by a wildcard for one label."""
    for name, shown in (
        ("one.test", "one.test"),
        ("TWO.test", "two.test"),
        ("a.wild.test", "*.wild.test"),
    ):
        with dial_tls(two_sites.https_port, name) as tls:
            assert subject(tls) == shown


def test_without_a_server_name_the_first_site_answers(two_sites: EdgeProcess) -> None:
    """Old clients and health checks send none."""
    context = client_context()
    with context.wrap_socket(dial(two_sites.https_port)) as tls:
        assert subject(tls) == "one.test"


@pytest.mark.parametrize("name", ["three.test", "wild.test", "a.b.wild.test", "one.test.evil", "localhost"])
def test_unknown_names_get_an_alert(two_sites: EdgeProcess, name: str) -> None:
    """`unrecognized_name`, no certificate of somebody else (RFC 6066 §3)."""
    with dial(two_sites.https_port) as sock, pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        client_context().wrap_socket(sock, server_hostname=name)


def get(host: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"


def test_a_request_for_another_certificate_is_misdirected(two_sites: EdgeProcess, origin: RecordingOrigin) -> None:
    """421 tells the browser to open another connection (RFC 9110 §15.5.20); the application hears nothing."""
    origin.requests.clear()
    with Visitor(dial_tls(two_sites.https_port, "one.test")) as visitor:
        assert visitor.send(get(b"two.test")).read().status == 421
        assert visitor.send(get(b"a.wild.test")).read().status == 421
        assert visitor.send(get(b"three.test")).read().status == 421
        assert origin.requests == []
        assert visitor.send(get(b"one.test")).read().status == 200
    with HTTP2Visitor(two_sites.https_port, name="one.test") as visitor2:
        for stream_id, authority, status in ((1, b"two.test", 421), (3, b"one.test", 200), (5, b"x.test", 421)):
            headers = [
                (b":authority", authority) if name == b":authority" else (name, value) for name, value in request()
            ]
            visitor2.send(wire.headers(stream_id, headers))
            assert visitor2.wait(stream_id) == status


def test_names_under_one_wildcard_share_a_connection(two_sites: EdgeProcess) -> None:
    """HTTP/2 clients coalesce: what the certificate covers is answered."""
    with Visitor(dial_tls(two_sites.https_port, "a.wild.test")) as visitor:
        assert visitor.send(get(b"b.wild.test")).read().status == 200


def versions(minimum: ssl.TLSVersion, maximum: ssl.TLSVersion) -> ssl.SSLContext:
    context = client_context("http/1.1")
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = minimum, maximum
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_protocol_versions_are_refused(two_sites: EdgeProcess) -> None:
    """TLS 1.1 and older are no longer safe (RFC 8996)."""
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with pytest.raises(ssl.SSLError, match=r"PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS"):
            dial_tls(two_sites.https_port, "one.test", versions(version, version))


@pytest.mark.parametrize("suite", ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "NULL"])
def test_weak_suites_are_refused(two_sites: EdgeProcess, suite: str) -> None:
    """TLS 1.2 only with forward secrecy and AEAD (RFC 9325 §4.2)."""
    context = versions(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(f"{suite}:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        dial_tls(two_sites.https_port, "one.test", context)


def s_client(edge: EdgeProcess, *options: str, typed: str = "Q\n") -> str:
    """What `openssl s_client` says of a connection on which this was typed."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{edge.https_port}", "-servername", "one.test", *options]
    done = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=20, check=False)
    return done.stdout + done.stderr


def test_nothing_is_renegotiated(two_sites: EdgeProcess) -> None:
    """A client of TLS 1.2 that asks for it (R) is told no; the extension that makes it safe is offered (RFC 5746)."""
    said = s_client(two_sites, "-tls1_2", typed="R\n")
    assert "RENEGOTIATING" in said
    assert "no renegotiation" in said
    assert "Secure Renegotiation IS supported" in said


def test_nothing_is_compressed(two_sites: EdgeProcess) -> None:
    """Not even for a client that would like to (CRIME)."""
    said = s_client(two_sites, "-tls1_2", "-comp")
    assert "Compression: NONE" in said
    assert "Cipher is ECDHE-" in said


def test_alpn(two_sites: EdgeProcess) -> None:
    """Edge prefers HTTP/2. Without a common protocol it speaks HTTP/1.1: Python's ssl cannot send the alert of RFC 7301 §3.2."""
    for offer, chosen in (
        (("h2", "http/1.1"), "h2"),
        (("http/1.1", "h2"), "h2"),
        (("http/1.1",), "http/1.1"),
        (("foo", "http/1.1"), "http/1.1"),
        (("foo",), None),
        (("h2c",), None),
        (("acme-tls/1",), None),
        ((), None),
    ):
        tls = dial_tls(two_sites.https_port, "one.test", client_context(*offer))
        with Visitor(tls) as visitor:
            assert tls.selected_alpn_protocol() == chosen
            if chosen != "h2":
                assert visitor.send(get(b"one.test")).read().status == 200


def resume(edge: EdgeProcess, version: ssl.TLSVersion, times: int) -> list[bool]:
    """Whether each of some further connections resumed the session of the first, whichever workers they reached."""
    context = versions(version, version)
    session = None
    resumed = []
    for _ in range(times + 1):
        tls = context.wrap_socket(dial(edge.https_port), server_hostname="one.test", session=session)
        with Visitor(tls) as visitor:
            assert visitor.send(get(b"one.test")).read().status == 200
            session = session or tls.session
            resumed.append(bool(tls.session_reused))
    return resumed[1:]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_session_resumes_at_any_worker(two_sites: EdgeProcess, version: ssl.TLSVersion) -> None:
    """Ticket keys are the same in all workers."""
    assert resume(two_sites, version, 12) == [True] * 12


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_session_does_not_cross_names(two_sites: EdgeProcess, version: ssl.TLSVersion) -> None:
    """A ticket of one.test used for two.test makes a connection for one of them, never for both."""
    context = versions(version, version)
    tls = context.wrap_socket(dial(two_sites.https_port), server_hostname="one.test")
    with Visitor(tls) as visitor:
        visitor.send(get(b"one.test")).read()
        session = tls.session
    try:
        again = context.wrap_socket(dial(two_sites.https_port), server_hostname="two.test", session=session)
    except ssl.SSLError:
        return
    with Visitor(again) as visitor:
        statuses = [visitor.send(get(name)).read().status for name in (b"one.test", b"two.test")]
    assert sorted(statuses) == [200, 421]


HELLO_ONLY = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\x16\x03\x01\x00\x00",
    b"\x16\x03\x01\xff\xff" + b"\0" * 100,
    b"\x15\x03\x03\x00\x02\x02\x28",
    b"\x80\x2e\x01\x03\x01",
    b"",
]


def test_nonsense_instead_of_a_hello(two_sites: EdgeProcess) -> None:
    """The connection ends and nobody else notices."""
    for data in HELLO_ONLY:
        with dial(two_sites.https_port) as sock, contextlib.suppress(OSError):
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
    with Visitor(dial_tls(two_sites.https_port, "one.test")) as visitor:
        assert visitor.send(get(b"one.test")).read().status == 200


def test_a_hello_in_pieces(two_sites: EdgeProcess) -> None:
    """A ClientHello that comes byte by byte is as good as any."""
    context = client_context("http/1.1")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="one.test")
    with dial(two_sites.https_port) as sock:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    sock.sendall(bytes((byte,)))
                incoming.write(sock.recv(65536))
        assert tls.selected_alpn_protocol() == "http/1.1"


def test_nobody_renegotiates(two_sites: EdgeProcess) -> None:
    """A TLS 1.2 client that asks for another handshake on the same connection is refused (CVE-2011-1473)."""
    argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{two_sites.https_port}", "-servername", "one.test"]
    client = subprocess.run([*argv, "-tls1_2"], input=b"R\n", capture_output=True, timeout=20, check=False)
    assert b"RENEGOTIATING" in client.stdout + client.stderr
    assert b"no renegotiation" in client.stdout + client.stderr
