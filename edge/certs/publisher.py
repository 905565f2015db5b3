"""How the certificate manager reaches the processes that serve.

The manager runs in the keeper; `process.keeper` implements this contract over the control channels, tests with a fake.
All methods are called on the keeper's event loop.
"""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from edge.tls.certified_key import CertifiedKey
from edge.tls.name_answer import NameAnswer

__all__ = ["HTTP01", "TLSALPN01", "ChallengeAnswer", "NameAnswer", "Publisher"]


class HTTP01(Struct, frozen=True, tag="http-01"):
    """Answer `http://NAME/.well-known/acme-challenge/TOKEN` with `key_authorization` (RFC 8555 §8.3)."""

    name: str
    token: str
    key_authorization: str

    def __repr__(self) -> str:
        return f"<HTTP01 {self.name}>"


class TLSALPN01(Struct, frozen=True, tag="tls-alpn-01"):
    """Answer a handshake for `server_name` that offers only `acme-tls/1` with this certificate (RFC 8737).

    `server_name` is the name, or for an IP address its reverse form (`1.0.0.127.in-addr.arpa`)."""

    server_name: str
    chain: bytes
    key: bytes

    def __repr__(self) -> str:
        return f"<TLSALPN01 {self.server_name}>"


ChallengeAnswer = HTTP01 | TLSALPN01


class Publisher(Protocol):
    """Where certificates and challenge answers go."""

    def replace(self, certified_key: CertifiedKey) -> None:
        """Serve this certificate for its names from now on, in every worker, in place of what served them before.

        Workers that start later get the latest one per name as well."""

    def withdraw_certificate(self, names: tuple[str, ...]) -> None:
        """Serve these names no longer (they left the configuration)."""

    def offer(self, certified_key: CertifiedKey) -> None:
        """Serve this in place of an earlier one in workers that have it for these names; others ask when they need it."""

    async def present(self, answer: ChallengeAnswer) -> None:
        """Returns once **every** live worker has said that it gives this answer; the CA may look now.

        Raises: CertificateError when a worker does not answer within 5 s. No worker alive counts as failure too:
        nobody could answer the CA."""

    def clean_up(self, answer: ChallengeAnswer) -> None:
        """The CA will not look again."""

    def challenge_kinds(self) -> frozenset[Literal["http-01", "tls-alpn-01"]]:
        """What the listeners of this configuration can answer on the ports that a public CA asks (or that were configured)."""
