"""Answers to a CA that wants proof of control (RFC 8555 §8.3, RFC 8737), for as long as it may look.

The keeper presents an answer in every worker before the CA is told to look, and cleans it up afterwards. Tokens are answered
from this table only, never from disk, and only for the name that they belong to.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from edge.certs.publisher import HTTP01, TLSALPN01
from edge.errors import CertificateError
from edge.http.exchange import Exchange, Handler
from edge.http.message import ResponseHead
from edge.http.validation import split_authority

PREFIX: Final = b"/.well-known/acme-challenge/"

MAX_PRESENTED: Final = 10_000
"""Answers held at a time: one per name in an order, for more names than a CA takes from one account in three hours."""

_FIELDS: Final = ((b"content-type", b"application/octet-stream"), (b"cache-control", b"no-store"))

_TOKEN = re.compile(rb"[A-Za-z0-9_-]{1,128}").fullmatch


def token_of(target: bytes) -> str | None:
    """The token if `target` is exactly a challenge path, without a query; else None (RFC 8555 §8.3: base64url)."""
    if not target.startswith(PREFIX):
        return None
    token = target[len(PREFIX) :]
    return token.decode("ascii") if _TOKEN(token) else None


class ChallengeTable:
    """The answers that this worker gives."""

    def __init__(self) -> None:
        self._presented: dict[int, HTTP01 | TLSALPN01] = {}
        self._tokens: dict[tuple[str, str], bytes] = {}
        self._handshakes: dict[str, TLSALPN01] = {}

    def __repr__(self) -> str:
        return f"<ChallengeTable {len(self._tokens)} tokens, {len(self._handshakes)} handshakes>"

    def present(self, number: int, answer: HTTP01 | TLSALPN01) -> None:
        """Give `answer` from now on; `number` is for `clean_up`.

        Raises: CertificateError when too many are held: do not acknowledge it then.
        """
        if len(self._presented) >= MAX_PRESENTED:
            raise CertificateError("too many challenges at a time")
        self._presented[number] = answer
        self._index()

    def clean_up(self, number: int) -> None:
        """Give that answer no longer; no error when it was not given."""
        if self._presented.pop(number, None) is not None:
            self._index()

    def _index(self) -> None:
        """Two views on what is presented; the latest answer for a name and token wins."""
        answers = self._presented.values()
        self._tokens = {
            (a.name, a.token): a.key_authorization.encode("ascii") for a in answers if isinstance(a, HTTP01)
        }
        self._handshakes = {a.server_name: a for a in answers if isinstance(a, TLSALPN01)}

    def look_up(self, host: str, token: str) -> bytes | None:
        """The key authorization for a token of `host` (lower-case, without port), or None."""
        return self._tokens.get((host, token))

    def handshake(self, server_name: str) -> TLSALPN01 | None:
        """The certificate to show in an `acme-tls/1` handshake for `server_name`, or None."""
        return self._handshakes.get(server_name)

    @property
    def tls_alpn_names(self) -> frozenset[str]:
        """Server names with a TLS-ALPN-01 challenge; a ClientHello needs to be looked at only while there is one."""
        return frozenset(self._handshakes)

    def answer_for(self, exchange: Exchange) -> Handler | None:
        """A handler that gives the key authorization, if `exchange` asks for a token presented for its host."""
        if not self._tokens:
            return None
        token = token_of(exchange.request.target)
        body = token and self.look_up(split_authority(exchange.request.authority)[0], token)
        return partial(_give, body) if body else None


def _give(body: bytes, exchange: Exchange) -> None:
    exchange.respond(ResponseHead(200, _FIELDS, len(body)), body)
