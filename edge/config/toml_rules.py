"""The tables of `edge.toml` that say who may ask what of a site or of a part of it, and what its answers look like."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType


class AuthTable(Struct, frozen=True):
    """`[site.auth]`, `[site.route.auth]`: basic authentication. edge checks the password and does not pass it on."""

    users: dict[str, str] | UnsetType = UNSET
    """Password hashes by user name; `edge hash-password` makes them."""

    realm: str | UnsetType = UNSET
    """What browsers show when they ask. Default: `restricted`."""


class HeadersTable(Struct, frozen=True):
    """`[site.headers]`: changes to the fields of every response of the site, error pages included."""

    set: dict[str, str] | UnsetType = UNSET
    """Fields by name, in place of what the response says."""

    add: dict[str, str | list[str]] | UnsetType = UNSET
    """Fields by name, beside what the response says."""

    remove: str | list[str] | UnsetType = UNSET
    """Names of fields that visitors do not get."""


class CacheTable(Struct, frozen=True):
    """`[site.cache]`, `[site.route.cache]`: keep what the application marks for everybody (RFC 9111)."""

    ttl: str | UnsetType = UNSET
    """How long to keep a response that says nothing about it, like `"1m"`. Only where everybody gets the same. By default such
    responses are not kept."""

    max_body: int | str | UnsetType = UNSET
    """Largest response that is kept. Default: `"4M"`."""

    ignore_query: str | list[str] | UnsetType = UNSET
    """Names of query parameters that do not count, like `utm_source`. The application does not see them either."""


class RulesTable(Struct, frozen=True):
    """Keys that a site and a route share."""

    max_body: int | str | UnsetType = UNSET
    """Largest request body in bytes, or with a unit: `"10M"`. Larger ones get 413. Default: `"1G"`."""

    first_byte_timeout: str | UnsetType = UNSET
    """How long the application may take from the end of a request to the first byte of its response. Default: `"60s"`."""

    allow: str | list[str] | UnsetType = UNSET
    """Networks, addresses or `private`: all other visitors get 403. Default: everybody."""

    deny: str | list[str] | UnsetType = UNSET
    """Networks, addresses or `private` whose visitors get 403, even if `allow` names them."""

    auth: AuthTable | Literal[False] | UnsetType = UNSET
    """Users and passwords, see `[site.auth]`. `false` in a route lets everybody in."""

    rate: str | UnsetType = UNSET
    """Requests that one client may make over time: `"10/s"`, `"300/m"`; more get 429. `"off"` is the default."""

    rate_burst: int | UnsetType = UNSET
    """Requests that may come at once before the rate counts. Default: what the rate allows in one second, at least 10."""

    compress: bool | Literal["always"] | UnsetType = UNSET
    """Compress answers of the application. `true` leaves out what a request with a cookie gets, unless it is marked public
    (BREACH); `"always"` does not. Default: `false`."""

    cache: CacheTable | bool | UnsetType = UNSET
    """Keep responses that are meant for everybody: `true`, or a table, see `[site.cache]`. Default: `false`."""


class RouteTable(RulesTable, frozen=True):
    """`[[site.route]]`: other rules for a part of the site. The longest prefix wins; what a route does not say it takes from
    the next shorter one, in the end from the site."""

    path: str | UnsetType = UNSET
    """URL prefix, like `/api`. Required."""

    upstream: str | list[str] | UnsetType = UNSET
    """Origins of this part. Default: those of the route or site around it."""
