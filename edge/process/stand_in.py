"""Answers challenges on the configured listeners while no edge runs, so that `edge doctor` can try whether a name leads here."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

from edge.certs.publisher import HTTP01, ChallengeAnswer
from edge.net.listening import ListeningSocket
from edge.tls.certified_key import CertifiedKey
from edge.tls.contexts import ChallengeContext, new_challenge_context

LONGEST_HEAD = 8192


class StandIn:
    """Implements `Publisher` for challenges, on sockets that somebody else opens and closes; it serves nothing else."""

    def __init__(self, listeners: Sequence[ListeningSocket]) -> None:
        self._listeners = listeners
        self._servers: dict[int, list[asyncio.Server]] = {}

    def replace(self, certified_key: CertifiedKey) -> None:
        """Nothing is served."""

    def offer(self, certified_key: CertifiedKey) -> None:
        """Nothing is served."""

    def withdraw_certificate(self, names: tuple[str, ...]) -> None:
        """Nothing is served."""

    async def present(self, answer: ChallengeAnswer) -> None:
        """Answer on all sockets of the right kind."""
        context: ChallengeContext | None = None
        if not isinstance(answer, HTTP01):
            context = new_challenge_context(answer.chain, answer.key)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                if isinstance(answer, HTTP01):
                    await _answer(answer, reader, writer)
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                pass  # whoever came has gone, or is no browser
            finally:
                writer.close()

        wanted = [each for each in self._listeners if each.tls is (context is not None)]
        self._servers[id(answer)] = [
            await asyncio.start_server(serve, sock=each.sock.dup(), ssl=context, limit=LONGEST_HEAD) for each in wanted
        ]

    def clean_up(self, answer: ChallengeAnswer) -> None:
        """Answer no longer."""
        for server in self._servers.pop(id(answer), ()):
            server.close()

    def challenge_kinds(self) -> frozenset[Literal["http-01", "tls-alpn-01"]]:
        """As a running edge would say; what could not be opened is not among them."""
        return frozenset(("tls-alpn-01" if each.tls else "http-01") for each in self._listeners)


async def _answer(answer: HTTP01, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    is_ours = head.startswith(f"GET /.well-known/acme-challenge/{answer.token} ".encode())
    body = answer.key_authorization.encode() if is_ours else b""
    status = b"200 OK" if is_ours else b"404 Not Found"
    writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (status, len(body), body))
    await writer.drain()
