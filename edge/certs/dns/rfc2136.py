"""Dynamic updates (RFC 2136), signed with a shared key (TSIG, RFC 8945): BIND, Knot, PowerDNS, NSD's primaries, Windows."""

from __future__ import annotations

import base64
import binascii

import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update

from edge.certs.dns.lookup import FOREIGN, Lookup
from edge.certs.dns.provider import TIME_TO_LIVE, TXTRecord, dns_failure, dns_secret
from edge.certs.issuer import IssueFailed
from edge.config.acme_schema import Rfc2136DNS
from edge.config.endpoint import Endpoint
from edge.config.names import is_address

TIMEOUT = 15.0
"""Seconds for one exchange over TCP; a server writes its journal first."""

_WORDS = {
    dns.rcode.REFUSED: "refuses updates of this zone with this key; look at its update policy",
    dns.rcode.NOTAUTH: "is not the primary server of the zone, or does not know the key",
    dns.rcode.NOTZONE: "says that the name is not in the zone",
    dns.rcode.SERVFAIL: "failed by itself; look at its log",
}


class Rfc2136:
    """Implements `DNSProvider`."""

    def __init__(self, settings: Rfc2136DNS, lookup: Lookup) -> None:
        self._settings = settings
        self._lookup = lookup

    async def present(self, record: TXTRecord) -> None:
        """Add the value to those at its name. Raises: IssueFailed."""
        server = await self._server()
        update = await self._update(record, server)
        update.add(_name(record.name), TIME_TO_LIVE, "TXT", _quoted(record.value))
        await self._send(update, server)

    async def clean_up(self, record: TXTRecord) -> None:
        """Delete exactly this value. Raises: IssueFailed."""
        server = await self._server()
        update = await self._update(record, server)
        update.delete(_name(record.name), "TXT", _quoted(record.value))
        await self._send(update, server)

    async def _server(self) -> Endpoint:
        """The server by its address."""
        server = self._settings.server
        if is_address(server.host):
            return server
        addresses = await self._lookup.addresses(server.host)
        if not addresses:
            raise dns_failure(f"the name server {server.host} has no address", "check server in [acme.dns]")
        return Endpoint(addresses[0], server.port)

    async def _update(self, record: TXTRecord, server: Endpoint) -> dns.update.UpdateMessage:
        zone = self._settings.zone or await self._zone_of(record.name, server)
        update = dns.update.UpdateMessage(_name(zone))
        update.use_tsig(self._key())
        return update

    def _key(self) -> dns.tsig.Key:
        settings = self._settings
        try:
            secret = base64.b64decode(dns_secret(settings.key), validate=True)
            return dns.tsig.Key(_name(settings.key_name), secret, settings.algorithm)
        except (binascii.Error, ValueError, UnicodeError, dns.exception.DNSException):
            # The cause is left out on purpose: some exceptions quote the key.
            raise dns_failure(f"{settings.key} is not base64; copy the secret of the TSIG key anew") from None

    async def _zone_of(self, name: str, server: Endpoint) -> str:
        """The server's own zone that holds the name: it says so in its SOA record, wherever that stands in the reply."""
        reply = await self._exchange(dns.message.make_query(_name(name), "SOA"), server)
        owners = [group.name for group in (*reply.answer, *reply.authority) if group.rdtype == dns.rdatatype.SOA]
        holding = [owner for owner in owners if _name(name).is_subdomain(owner) and owner != dns.name.root]
        if not holding:
            hint = "check server in [acme.dns], or name the zone there"
            raise dns_failure(f"the name server {self._settings.server} has no zone that holds {name}", hint)
        return max(holding, key=len).to_text()

    async def _send(self, update: dns.update.UpdateMessage, server: Endpoint) -> None:
        reply = await self._exchange(update, server)
        if reply.rcode() != dns.rcode.NOERROR:
            words = _WORDS.get(reply.rcode(), f"answered {dns.rcode.to_text(reply.rcode())}")
            raise dns_failure(f"the name server {self._settings.server} {words}")

    async def _exchange(self, message: dns.message.Message, server: Endpoint) -> dns.message.Message:
        try:
            return await dns.asyncquery.tcp(message, server.host, TIMEOUT, server.port)
        except FOREIGN as exc:
            raise self._failed(exc) from exc

    def _failed(self, exc: BaseException) -> IssueFailed:
        place = f"the name server {self._settings.server}"
        if isinstance(exc, dns.tsig.PeerBadTime):
            return dns_failure(f"{place} says that the clocks differ", "set the clocks of both machines (NTP)")
        unsigned = isinstance(exc, dns.exception.FormError) and "TSIG" in str(exc)  # how some refuse a key
        if unsigned or isinstance(exc, dns.tsig.PeerError | dns.tsig.BadSignature):
            return dns_failure(
                f"{place} does not accept the TSIG key", "check key_name, algorithm and the secret in [acme.dns]"
            )
        if isinstance(exc, dns.exception.Timeout | TimeoutError):
            return dns_failure(
                f"{place} did not answer within {TIMEOUT:g} s", "updates go over TCP; check the firewall"
            )
        reason = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
        return dns_failure(f"{place} could not be asked: {reason}")


def _name(text: str) -> dns.name.Name:
    return dns.name.from_text(text, dns.name.root)


def _quoted(value: str) -> str:
    """The value as one character string of a TXT record in presentation form (RFC 1035 §5.1)."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
