"""Do all authoritative servers show the record? The CA may ask any of them, from several places, and counts a wrong answer.

A server that says nothing at all is waited for as well, but not for ever: zones live for years with a dead secondary, and
CAs then ask the others too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from edge.certs.dns.lookup import Lookup, NameServer
from edge.certs.dns.provider import TXTRecord, dns_failure
from edge.certs.issuer import IssueFailed

EVERY = 2.0
"""Seconds between two looks."""

SILENT_LOOKS = 3
"""Looks after which servers that never answered are left out."""


async def wait_until_shown(
    lookup: Lookup,
    record: TXTRecord,
    servers: list[NameServer],
    patience: float,
    sleep: Callable[[float], Awaitable[None]],
) -> None:
    """Returns when every server shows the value. Raises: IssueFailed after `patience` seconds.

    A look is never interrupted: on some versions of Python a cancelled one leaves its socket behind."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    shown: dict[NameServer, bool | None] = {}
    looks = 0
    while not is_everywhere(shown, looks):
        if looks:
            if loop.time() >= deadline:
                raise _not_in_time(record, shown, patience)
            await sleep(EVERY)
        seen = await asyncio.gather(*(lookup.values(record.name, server) for server in servers))
        shown = {
            server: None if values is None else record.value in values
            for server, values in zip(servers, seen, strict=True)
        }
        looks += 1


def _not_in_time(record: TXTRecord, shown: Mapping[NameServer, bool | None], patience: float) -> IssueFailed:
    return dns_failure(
        f"{record.name}: {unshown(shown)} after {patience:g} s",
        "edge goes on with the same record in the next attempt; if that is always too soon, raise propagation_timeout",
    )


def is_everywhere(shown: Mapping[NameServer, bool | None], looks: int) -> bool:
    """Whether the CA may look: some server shows the value, none lacks it, and the silent ones (None) were given time."""
    answers = set(shown.values())
    return True in answers and False not in answers and (None not in answers or looks >= SILENT_LOOKS)


def unshown(shown: Mapping[NameServer, bool | None]) -> str:
    """What is amiss, in words."""
    lacking = ", ".join(str(server) for server, answer in shown.items() if answer is False)
    silent = ", ".join(str(server) for server, answer in shown.items() if answer is None)
    parts = [f"the record is not at {lacking}" if lacking else "", f"no answer from {silent}" if silent else ""]
    return "; ".join(filter(None, parts)) or "no name server has answered"
