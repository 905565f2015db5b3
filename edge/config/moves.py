"""Which applications are elsewhere in the next configuration. Pure.

Workers of an earlier generation finish what they have begun, and part of that may be waiting for an application that a reload has
moved: it has to be told where to.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from edge.config.address import UpstreamAddress
from edge.config.schema import Config, Site


class Move(Struct, frozen=True):
    """What the site whose first name is `site` had at the origins `before` is at the origins `after`. `ca_file` is their
    `upstream_ca`."""

    site: str
    before: tuple[UpstreamAddress, ...]
    after: tuple[UpstreamAddress, ...]
    ca_file: str = ""


def find_moves(before: Config, after: Config) -> list[Move]:
    """One for each set of origins of a site that is another one now. Where routes that shared a set differ now, the first
    counts, the site itself before its routes; what has no origins any more has not moved."""
    next_sites = {name: site for site in after.sites for name in site.names}
    found: dict[tuple[str, tuple[UpstreamAddress, ...]], Move] = {}
    for site in before.sites:
        next_site = next_sites.get(site.names[0])
        if next_site is None:
            continue
        for prefix, origins in _parts(site):
            now = _origins_of(next_site, prefix)
            key = site.names[0], origins
            if origins and now and key not in found:
                found[key] = Move(*key, now, next_site.upstream_ca)
    return [move for move in found.values() if move.before != move.after]


def _parts(site: Site) -> Iterator[tuple[str, tuple[UpstreamAddress, ...]]]:
    yield "", site.upstreams
    for route in site.routes:
        yield route.prefix, route.upstreams


def _origins_of(site: Site, prefix: str) -> tuple[UpstreamAddress, ...]:
    """Those of the longest route that holds everything below `prefix`, else the site's."""
    around = {part: origins for part, origins in _parts(site) if f"{prefix}/".startswith(f"{part}/")}
    return around[max(around, key=len)]
