"""Questions to DNS: which zone holds a name, where its servers are, what they show. The door to dnspython for asking.

Two kinds of servers are asked. The **resolvers** (this host's, or those configured) find names, zones and servers. The
**authoritative servers** themselves are asked for values, because a resolver may remember that there was nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

import dns.asyncquery
import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.rcode
import dns.rdatatype
import dns.resolver
from msgspec import Struct

from edge.certs.dns.provider import dns_failure
from edge.certs.issuer import IssueFailed
from edge.config.endpoint import Endpoint

QUESTION_TIMEOUT = 5.0
"""Seconds for one server to answer; the value of resolv.conf(5)."""

RESOLVER_TIMEOUT = 15.0
"""Seconds for a resolver, which may have to ask several servers."""

FOREIGN = (dns.exception.DNSException, OSError, EOFError, ValueError)
"""What asking raises: refusals, silence, packets that are no DNS message."""


class NameServer(Struct, frozen=True):
    """One address of one server; `name` is the server's, for messages."""

    name: str
    endpoint: Endpoint

    def __str__(self) -> str:
        return self.name if self.name == str(self.endpoint) else f"{self.name} ({self.endpoint.host})"


class Lookup:
    """Asks. `resolvers` empty means those of this host (/etc/resolv.conf); `port` is where authoritative servers listen."""

    def __init__(self, resolvers: tuple[Endpoint, ...] = (), port: int = 53) -> None:
        self._resolvers = resolvers
        self._port = port

    async def alias(self, name: str) -> str:
        """Where a CNAME record at `name` points, or "". Raises: IssueFailed."""
        answer = await self._resolve(name, "CNAME")
        return _text(answer[0].target) if answer else ""

    async def zone_of(self, name: str) -> str:
        """The zone that holds `name`. Raises: IssueFailed."""
        resolver = self._resolver()
        try:
            zone = await dns.asyncresolver.zone_for_name(_name(name), resolver=resolver, lifetime=RESOLVER_TIMEOUT)
        except FOREIGN as exc:
            raise _unanswered(name, "the zone of", exc) from exc
        if zone == dns.name.root:
            raise dns_failure(f"no zone holds {name}", "is the domain registered, and spelled right?")
        return _text(zone)

    async def name_servers(self, zone: str) -> list[NameServer]:
        """Every address of every authoritative server of a zone. Raises: IssueFailed."""
        names = sorted(_text(record.target) for record in await self._resolve(zone, "NS"))
        found = await asyncio.gather(*map(self.addresses, names))
        servers = [
            NameServer(name, Endpoint(each, self._port)) for name, one in zip(names, found, strict=True) for each in one
        ]
        if not servers:
            raise dns_failure(f"the name servers of {zone} have no addresses", "look at the NS records of the zone")
        return servers

    async def values(self, name: str, server: NameServer) -> frozenset[str] | None:
        """The TXT values that one server shows at `name`; None when it does not answer, or not properly. Never raises."""
        question = dns.message.make_query(_name(name), "TXT", flags=dns.flags.Flag(0))
        endpoint = server.endpoint
        try:
            reply, _ = await dns.asyncquery.udp_with_fallback(question, endpoint.host, QUESTION_TIMEOUT, endpoint.port)
        except FOREIGN:
            return None
        if reply.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return None
        records = [record for group in reply.answer if group.rdtype == dns.rdatatype.TXT for record in group]
        return frozenset(b"".join(record.strings).decode("ascii", "replace") for record in records)

    async def addresses(self, host: str) -> list[str]:
        """IPv4 and IPv6 addresses of a host; [] when it has none. Raises: IssueFailed."""
        return [record.address for kind in ("A", "AAAA") for record in await self._resolve(host, kind)]

    async def _resolve(self, name: str, kind: str) -> list[Any]:
        """The records, whose attributes depend on their kind; [] when there are none."""
        try:
            answer = await self._resolver().resolve(
                _name(name), kind, raise_on_no_answer=False, search=False, lifetime=RESOLVER_TIMEOUT
            )
        except dns.resolver.NXDOMAIN:
            return []
        except FOREIGN as exc:
            raise _unanswered(name, f"the {kind} records of", exc) from exc
        return list(answer.rrset or ())

    def _resolver(self) -> dns.asyncresolver.Resolver:
        """Made anew for each question, so that a changed resolv.conf counts."""
        if not self._resolvers:
            return dns.asyncresolver.Resolver()
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = [dns.nameserver.Do53Nameserver(each.host, each.port) for each in self._resolvers]
        return resolver


def _name(text: str) -> dns.name.Name:
    return dns.name.from_text(text, dns.name.root)


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _unanswered(name: str, what: str, exc: BaseException) -> IssueFailed:
    words = str(exc).strip() or type(exc).__name__
    return dns_failure(f"{what} {name} could not be found out ({words})", "does this host's DNS resolver work?")
