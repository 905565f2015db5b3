"""Questions to several DNS servers at once, each answered or not: what public resolvers and authoritative servers say.

Unlike `dns.lookup`, whose caller wants an answer from whoever has it, this is about the differences: which server says what,
with and without DNSSEC. Silence is a value here, never an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
from msgspec import Struct

from edge.certs.dns.lookup import FOREIGN, Lookup, NameServer
from edge.certs.doctor.caa import CAARecord
from edge.certs.issuer import IssueFailed
from edge.config.endpoint import Endpoint

TIMEOUT = 2.0
"""Seconds for one server to answer. Others are asked at the same time, and silence is no verdict."""

MOST_SERVERS = 8
"""Addresses of authoritative servers that are asked; zones have two to four."""

PAYLOAD = 1232
"""Bytes; what fits through every path unfragmented (DNS flag day 2020). Longer replies come over TCP."""

PUBLIC_RESOLVERS = tuple(map(Endpoint, ("1.1.1.1", "8.8.8.8", "9.9.9.9")))
"""Three operators, all of which check DNSSEC, as CAs do."""


class Reply(Struct, frozen=True):
    """What one server said. `owner` is the name that the records belong to, behind any CNAME; other fields are empty for other
    kinds of questions."""

    rcode: str
    is_authoritative: bool
    owner: str
    addresses: tuple[str, ...] = ()
    policies: tuple[CAARecord, ...] = ()

    @property
    def is_absent(self) -> bool:
        """The name does not exist."""
        return self.rcode == "NXDOMAIN"

    @property
    def is_answer(self) -> bool:
        """There is something to conclude from: no SERVFAIL, no refusal."""
        return self.rcode in ("NOERROR", "NXDOMAIN")


class Questions:
    """Asks. `resolvers` are public ones; `port` is where authoritative servers listen, `timeout` in seconds."""

    def __init__(
        self, resolvers: Sequence[Endpoint] = PUBLIC_RESOLVERS, port: int = 53, timeout: float = TIMEOUT
    ) -> None:
        self.resolvers = tuple(resolvers)
        self._timeout = timeout
        self._lookup = Lookup(self.resolvers, port)

    async def publicly(self, name: str, kind: str, *, unchecked: bool = False) -> list[Reply]:
        """The replies of those public resolvers that gave one; `unchecked` asks them not to check DNSSEC."""
        flags = dns.flags.RD | (dns.flags.CD if unchecked else dns.flags.Flag(0))
        return await self._ask_all(name, kind, self.resolvers, flags)

    async def authoritatively(self, name: str, kind: str) -> list[Reply]:
        """The authoritative replies of the servers of the zone that holds `name`; [] when they are not to be found."""
        try:
            zone = await self._lookup.zone_of(name)
            servers: list[NameServer] = await self._lookup.name_servers(zone)
        except IssueFailed:
            return []
        endpoints = [server.endpoint for server in servers[:MOST_SERVERS]]
        replies = await self._ask_all(name, kind, endpoints, dns.flags.Flag(0))
        return [reply for reply in replies if reply.is_authoritative and reply.is_answer]

    async def _ask_all(self, name: str, kind: str, servers: Sequence[Endpoint], flags: dns.flags.Flag) -> list[Reply]:
        replies = await asyncio.gather(*(self._ask(name, kind, server, flags) for server in servers))
        return [reply for reply in replies if reply is not None]

    async def _ask(self, name: str, kind: str, server: Endpoint, flags: dns.flags.Flag) -> Reply | None:
        """None when there is no proper answer in time. Never raises for what the server does."""
        try:
            owner = dns.name.from_text(name, dns.name.root)
            question = dns.message.make_query(owner, kind, flags=int(flags), use_edns=0, payload=PAYLOAD)
            async with asyncio.timeout(self._timeout):
                message, _ = await dns.asyncquery.udp_with_fallback(question, server.host, self._timeout, server.port)
            return _read(message)
        except (*FOREIGN, TimeoutError):
            return None


def _read(message: dns.message.Message) -> Reply:
    """Raises: DNSException for what is no answer to a question, and for chains of aliases that never end."""
    if not isinstance(message, dns.message.QueryMessage):
        raise dns.exception.FormError
    code = dns.rcode.to_text(message.rcode())
    chain = message.resolve_chaining() if code in ("NOERROR", "NXDOMAIN") else None
    records: Sequence[Any] = list(chain.answer or ()) if chain else ()
    return Reply(
        code,
        bool(message.flags & dns.flags.AA),
        chain.canonical_name.to_text(omit_final_dot=True).lower() if chain else "",
        tuple(record.address for record in records if record.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)),
        tuple(
            CAARecord(record.flags, _text(record.tag).lower(), _text(record.value))
            for record in records
            if record.rdtype == dns.rdatatype.CAA
        ),
    )


def _text(value: bytes) -> str:
    return value.decode("ascii", "replace")
