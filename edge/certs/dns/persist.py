"""A record that the operator makes once and that proves a name for ever (dns-persist-01, draft-ietf-acme-dns-persist).

    _validation-persist.example.com. TXT "ca.example; accounturi=https://ca.example/acct/1; policy=wildcard"

It names the CA and the account, so it can be made by hand, by somebody else, and edge needs no access to DNS. Edge tells the
exact record, looks for it, and asks the CA only when all name servers show it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from msgspec import Struct

from edge.certs.acme.problems import clean
from edge.certs.dns.lookup import Lookup, NameServer
from edge.certs.dns.propagation import is_everywhere
from edge.certs.dns.provider import dns_failure
from edge.certs.issuer import IssueFailed
from edge.config.endpoint import Endpoint
from edge.telemetry.logs import get_logger

EVERY = 10.0
"""Seconds between two looks."""

PATIENCE = 120.0
"""Seconds of one attempt that are spent waiting for a human; the next attempt goes on."""

log = get_logger("certs")


class PersistentRecord(Struct, frozen=True):
    """What must stand in DNS: for `name` (without `*.`), by one of the CA's names, for one account."""

    name: str
    issuers: tuple[str, ...]
    account_url: str
    wildcard: bool

    @property
    def place(self) -> str:
        """The name of the record."""
        return f"_validation-persist.{self.name}"

    @property
    def value(self) -> str:
        """The shortest value that will do."""
        return f"{self.issuers[0]}; accounturi={self.account_url}{'; policy=wildcard' if self.wildcard else ''}"

    def is_met_by(self, value: str, now: float) -> bool:
        """Whether this TXT value proves the name; parameters may stand in any order, unknown ones are ignored."""
        issuer, *rest = (part.strip() for part in value.split(";"))
        found = {key.strip().lower(): text.strip() for key, _, text in (part.partition("=") for part in rest)}
        until = found.get("persistuntil", "")
        return (
            issuer.lower().rstrip(".") in self.issuers
            and found.get("accounturi") == self.account_url
            and (not self.wildcard or found.get("policy", "").lower() == "wildcard")
            and (not until or (until.isdecimal() and int(until) > now))
        )


class PersistentProof:
    """Waits for records."""

    def __init__(
        self,
        lookup: Lookup,
        *,
        servers: tuple[Endpoint, ...] = (),
        patience: float = PATIENCE,
        wall_clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._lookup = lookup
        self._servers = [NameServer(str(each), each) for each in servers]
        self._patience = patience
        self._wall_clock = wall_clock
        self._sleep = sleep

    async def wait(self, record: PersistentRecord) -> None:
        """Returns when every authoritative server shows it. Raises: IssueFailed with the record to be made."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        looks = 0
        try:
            while not await self._is_shown(record, looks := looks + 1):
                if looks == 1:
                    log.warning("waiting for a DNS record", record=record.place, type="TXT", value=record.value)
                if loop.time() >= deadline:
                    raise dns_failure("it is not there yet")
                await self._sleep(EVERY)
        except IssueFailed as exc:
            raise self._missing(record, exc.detail) from exc

    async def _is_shown(self, record: PersistentRecord, looks: int) -> bool:
        lookup, now = self._lookup, self._wall_clock()
        servers = self._servers or await lookup.name_servers(await lookup.zone_of(record.place))
        seen = await asyncio.gather(*(lookup.values(record.place, server) for server in servers))
        shown = {
            server: None if values is None else any(record.is_met_by(value, now) for value in values)
            for server, values in zip(servers, seen, strict=True)
        }
        return is_everywhere(shown, looks)

    @staticmethod
    def _missing(record: PersistentRecord, why: str) -> IssueFailed:
        return dns_failure(
            f"{record.name} (dns-persist-01): {why}",
            clean(f'make this record once: {record.place}. TXT "{record.value}"'),
        )
