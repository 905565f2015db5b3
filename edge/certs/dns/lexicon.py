"""The services that the package dns-lexicon knows (Cloudflare, Route 53, OVH, Hetzner …): a thin adapter.

The package is optional and imported at the first use. It blocks, so its calls run on a thread each.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from edge.certs.acme.threads import call
from edge.certs.dns.lookup import Lookup
from edge.certs.dns.provider import LONGEST_OPERATION, TIME_TO_LIVE, TXTRecord, dns_failure, dns_secret
from edge.config.acme_schema import LexiconDNS

MISSING = "pip install 'edge[lexicon]'"


class Operations(Protocol):
    """What is used of an open lexicon client. Both are no error when there is nothing left to do."""

    def create_record(self, rtype: str, name: str, content: str) -> bool:
        """Add a value."""

    def delete_record(self, *, rtype: str, name: str, content: str) -> bool:
        """Remove one."""


OpenClient = Callable[[dict[str, Any]], AbstractContextManager[Operations]]
"""A client for a configuration, entered to log in."""


class Lexicon:
    """Implements `DNSProvider`. `open_client` is the package's unless a test brings its own."""

    def __init__(self, settings: LexiconDNS, lookup: Lookup, open_client: OpenClient | None = None) -> None:
        self._settings = settings
        self._lookup = lookup
        self._open_client = open_client or _open_client

    async def present(self, record: TXTRecord) -> None:
        """Add the value to those at its name. Raises: IssueFailed."""
        await self._change(record, lambda client: client.create_record("TXT", record.name, record.value))

    async def clean_up(self, record: TXTRecord) -> None:
        """Delete exactly this value. Raises: IssueFailed."""
        await self._change(
            record, lambda client: client.delete_record(rtype="TXT", name=record.name, content=record.value)
        )

    async def _change(self, record: TXTRecord, change: Callable[[Operations], bool]) -> None:
        configuration = self._configuration(await self._lookup.zone_of(record.name))

        def run() -> bool:
            with self._open_client(configuration) as client:
                return change(client)

        service = self._settings.service
        try:
            async with asyncio.timeout(LONGEST_OPERATION):
                done = await call(run)
        except TimeoutError as exc:
            raise dns_failure(f"{service} did not answer within {LONGEST_OPERATION:g} s") from exc
        except ModuleNotFoundError as exc:
            raise dns_failure(
                f"the DNS service {service} needs a package that is not installed ({exc.name})", MISSING
            ) from exc
        except Exception as exc:  # whatever some hundred modules by many authors raise
            # Their words may hold a URL with a token in it: the kind of error is all that is shown, and no cause is kept.
            raise dns_failure(
                f"{service} did not take the change ({type(exc).__name__})", "check the options in [acme.dns]"
            ) from None
        if not done:
            raise dns_failure(f"{service} did not take the change, and gave no reason")

    def _configuration(self, zone: str) -> dict[str, Any]:
        """What lexicon wants to know. With `resolve_zone_name` it takes the zone as it is, and downloads no list of suffixes."""
        options = {**self._settings.options}
        options |= {name: dns_secret(secret) for name, secret in self._settings.secrets.items()}
        service = self._settings.service
        return {
            "provider_name": service,
            "domain": zone,
            "resolve_zone_name": True,
            "ttl": TIME_TO_LIVE,
            service: options,
        }


def _open_client(configuration: dict[str, Any]) -> AbstractContextManager[Operations]:
    client = importlib.import_module("lexicon.client").Client
    resolver = importlib.import_module("lexicon.config").ConfigResolver
    opened: AbstractContextManager[Operations] = client(resolver().with_dict(configuration))
    return opened
