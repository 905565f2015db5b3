"""From the table `[acme.dns]` to records that can be presented."""

from __future__ import annotations

from collections.abc import Callable

from edge.certs.dns.exec_hook import ExecHook
from edge.certs.dns.ledger import RecordLedger
from edge.certs.dns.lexicon import Lexicon
from edge.certs.dns.lookup import Lookup
from edge.certs.dns.persist import PersistentProof
from edge.certs.dns.provider import DNSProvider
from edge.certs.dns.records import DNSRecords
from edge.certs.dns.rfc2136 import Rfc2136
from edge.config.acme_schema import DNS, ExecDNS, LexiconDNS, Rfc2136DNS
from edge.storage.contract import Storage


def build_records(settings: DNS, storage: Storage, wall_clock: Callable[[], float]) -> DNSRecords:
    """Ready to present; nothing is asked or read before."""
    lookup = Lookup(settings.resolvers)
    return DNSRecords(
        _provider(settings.provider, lookup),
        lookup,
        RecordLedger(storage),
        timeout=settings.propagation_timeout,
        servers=settings.servers,
        wall_clock=wall_clock,
    )


def build_persistent(settings: DNS | None, wall_clock: Callable[[], float]) -> PersistentProof:
    """Looks for records that others make; needs no provider."""
    resolvers, servers = (settings.resolvers, settings.servers) if settings else ((), ())
    return PersistentProof(Lookup(resolvers), servers=servers, wall_clock=wall_clock)


def _provider(settings: ExecDNS | Rfc2136DNS | LexiconDNS, lookup: Lookup) -> DNSProvider:
    match settings:
        case ExecDNS():
            return ExecHook(settings)
        case Rfc2136DNS():
            return Rfc2136(settings, lookup)
        case LexiconDNS():
            return Lexicon(settings, lookup)
