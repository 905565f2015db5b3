"""A journal in memory and a publisher that answers challenges on real sockets."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edge.certs.publisher import HTTP01, TLSALPN01, ChallengeAnswer
from edge.errors import CertificateError
from edge.tls.certified_key import CertifiedKey

Kind = Literal["http-01", "tls-alpn-01"]


class Crash(BaseException):
    """The process is no more."""


class FakeJournal:
    """The pending entry of one certificate; `said` lists what the issuer reported. Dies at the event named `crash_at`."""

    def __init__(self, names: tuple[str, ...], *, order_url: str = "", crash_at: str = "") -> None:
        private = ec.generate_private_key(ec.SECP256R1())
        self.key = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        request = request.add_extension(x509.SubjectAlternativeName(list(map(general_name, names))), critical=False)
        self.csr = request.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
        self.public_key = private.public_key()
        self.order_url = order_url
        self.crash_at = crash_at
        self.said: list[str] = []

    def order_created(self, url: str) -> None:
        self.order_url = url
        self.note("order created")

    def finalizing(self) -> None:
        self.note("finalizing")

    def order_dropped(self) -> None:
        self.order_url = ""
        self.note("order dropped")

    def note(self, event: str) -> None:
        """Also the progress callback: dies when this is where the process was to crash."""
        self.said.append(event)
        if event == self.crash_at:
            self.crash_at = ""
            raise Crash


def general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class FakePublisher:
    """Keeps what is presented. `failing` makes `present` fail like a worker that does not answer."""

    def __init__(self, *kinds: Kind) -> None:
        self.kinds: frozenset[Kind] = frozenset(kinds or ("http-01", "tls-alpn-01"))
        self.given: list[ChallengeAnswer] = []
        self.history: list[ChallengeAnswer] = []
        self.failing = False
        self.silent = False

    def replace(self, certified_key: CertifiedKey) -> None:
        raise AssertionError("an issuer never replaces certificates")

    def offer(self, certified_key: CertifiedKey) -> None:
        raise AssertionError("an issuer never offers certificates")

    def withdraw_certificate(self, names: tuple[str, ...]) -> None:
        raise AssertionError("an issuer never withdraws certificates")

    async def present(self, answer: ChallengeAnswer) -> None:
        self.history.append(answer)
        if self.failing:
            raise CertificateError("a worker did not answer within 5 s")
        self.given.append(answer)

    def clean_up(self, answer: ChallengeAnswer) -> None:
        if answer in self.given:
            self.given.remove(answer)

    def challenge_kinds(self) -> frozenset[Kind]:
        return self.kinds

    # -- the sockets ---------------------------------------------------------------------------------------------------

    async def _http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split(" ")[1]
        for answer in self.given:
            if isinstance(answer, HTTP01) and path == f"/.well-known/acme-challenge/{answer.token}" and not self.silent:
                body = answer.key_authorization.encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)
                )
                break
        else:
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    def _switch(self, connection: ssl.SSLObject, server_name: str | None, _: ssl.SSLContext) -> int | None:
        for answer in self.given:
            if isinstance(answer, TLSALPN01) and answer.server_name == server_name:
                connection.context = challenge_context(answer)
                return None
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    @asynccontextmanager
    async def listening(self, http_port: int, tls_port: int) -> AsyncIterator[None]:
        """Inside, the CA's look at these ports is answered."""
        context = server_context()
        context.sni_callback = self._switch
        http = await asyncio.start_server(self._http, "127.0.0.1", http_port)
        tls = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", tls_port, ssl=context)
        async with http, tls:
            yield


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["acme-tls/1"])
    return context


def challenge_context(answer: TLSALPN01) -> ssl.SSLContext:
    context = server_context()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "pair.pem")
        path.write_bytes(answer.key + answer.chain)
        context.load_cert_chain(path)
    return context
