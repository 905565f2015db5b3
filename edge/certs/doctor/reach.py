"""Do ports 80 and 443 of a name lead to this edge? Tried from here, through every address that the name has.

Port 80 is asked for a token, port 443 for the certificate of a tls-alpn-01 challenge: what a CA would do. A router that does not
lead its own network back in makes an open port look closed, so nothing that is seen here is a verdict.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from edge.certs.acme.tls_alpn import tls_alpn_answer
from edge.certs.doctor.finding import Finding, good, problem, unknown
from edge.certs.publisher import HTTP01, TLSALPN01, ChallengeAnswer, Publisher
from edge.certs.reachability import HERE, MOST_ADDRESSES, addresses_of, end_of_sentence, look
from edge.errors import CertificateError

ALPN = "acme-tls/1"


class Ports(Struct, frozen=True):
    """Where a public CA looks; tests have other ports."""

    http: int = 80
    https: int = 443


async def look_at_ports(
    name: str, public: Sequence[str], publisher: Publisher, ports: Ports, now: float
) -> list[Finding]:
    """A finding for each port and address; addresses are those of `public` and those that this host finds itself."""
    if name.startswith("*."):
        return []
    local = await addresses_of(name)
    addresses = tuple(dict.fromkeys((*public, *local)))[:MOST_ADDRESSES]
    findings = _compare(name, public, local)
    token = HTTP01(name, f"doctor-{secrets.token_urlsafe(16)}", secrets.token_urlsafe(16))
    answer = tls_alpn_answer(name, secrets.token_urlsafe(16), now)
    kinds = publisher.challenge_kinds()
    if "http-01" in kinds:
        findings += await _through(publisher, token, addresses, ports.http, lambda each: look(each, ports.http, token))
    if "tls-alpn-01" in kinds:
        findings += await _through(
            publisher, answer, addresses, ports.https, lambda each: _shake_hands(each, ports.https, answer)
        )
    return findings


def _compare(name: str, public: Sequence[str], local: Sequence[str]) -> list[Finding]:
    if not local:
        return [problem("addresses", f"this machine itself finds no address for {name}")]
    if public and set(public) != set(local):
        return [
            unknown(
                "addresses", f"this machine finds other ones ({', '.join(local)}): /etc/hosts, or a DNS of its own?"
            )
        ]
    return []


async def _through(
    publisher: Publisher,
    answer: ChallengeAnswer,
    addresses: Sequence[str],
    port: int,
    look_through: Callable[[str], Awaitable[str]],
) -> list[Finding]:
    about = f"port {port}"
    try:
        await publisher.present(answer)
    except CertificateError as exc:
        return [unknown(about, f"the workers could not be told what to answer ({exc})")]
    try:
        seen = await asyncio.gather(*map(look_through, addresses))
    finally:
        publisher.clean_up(answer)
    return [_judge(about, address, what) for address, what in zip(addresses, seen, strict=True)]


def _judge(about: str, address: str, what: str) -> Finding:
    if what == HERE:
        return good(about, f"{address} {what}")
    if "unreachable" in what and ":" in address:
        return unknown(about, f"{address} {what}: this machine has no IPv6, but visitors and the CA may have")
    return problem(about, f"{address} {what}, as seen from here: look at DNS, the firewall and port forwarding")


async def _shake_hands(address: str, port: int, answer: TLSALPN01) -> str:
    """What a handshake at this address meets, as the end of a sentence. A handshake that fails is an OSError too."""
    ours = ssl.PEM_cert_to_DER_cert(answer.chain.decode())
    return await end_of_sentence(port, ours, _certificate_at(address, port, answer.server_name))


async def _certificate_at(address: str, port: int, server_name: str) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the challenge certificate is self-signed and compared byte by byte
    context.set_alpn_protocols([ALPN])
    _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=server_name)
    try:
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return tls.getpeercert(binary_form=True) or b""
    finally:
        writer.transport.abort()  # nobody waits for the end of a TLS connection that has told what it was for
