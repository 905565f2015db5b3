"""Where a value really has to go: a CNAME at the place that the CA looks at leads into another zone.

    _acme-challenge.example.com  CNAME  x.acme.example.net

That is how operators keep the key to their main zone away from this host: edge changes only the small zone behind the alias.
CAs follow it like any resolver.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from edge.certs.dns.provider import dns_failure

MOST_HOPS = 8
"""Resolvers give up at about as many; two are common."""


async def follow(name: str, alias: Callable[[str], Awaitable[str]]) -> str:
    """The name at the end of the chain; `alias` tells one step, "" at the end. Raises: IssueFailed."""
    visited = [name]
    while target := await alias(visited[-1]):
        if target in visited or len(visited) > MOST_HOPS:
            chain = " → ".join([*visited, target])
            raise dns_failure(f"the CNAME records at {name} lead nowhere: {chain}", "repair the alias, or remove it")
        visited.append(target)
    return visited[-1]
