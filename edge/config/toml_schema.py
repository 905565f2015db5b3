"""The tables of `edge.toml`: types for msgspec, one docstring per key. The reference page is made from this module.

Every key may be left out. A key that is not here is a complaint, never ignored: a misspelt limit that silently does not hold
is worse than a server that does not start.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import UNSET, Struct, UnsetType


class SiteTable(Struct, frozen=True):
    """`[[site]]`: what is served for one set of names. Repeatable; the first one answers clients that send no server name."""

    names: str | list[str] | UnsetType = UNSET
    """Host names, wildcards (`*.example.com`) and IP addresses. May be left out in the only site: then `localhost`."""

    upstream: str | list[str] | UnsetType = UNSET
    """Origins for everything that no static mount answers: `127.0.0.1:8000`, `http://host:port`, `unix:/run/app.sock`; with a
    share of the requests: `"127.0.0.1:8001 weight=2"`. `https://app.internal:8443` is verified."""

    upstream_ca: str | UnsetType = UNSET
    """PEM file with extra trust roots for `https://` upstreams. Default: the system's roots alone."""

    balance: str | UnsetType = UNSET
    """Which of several origins gets a request: `round_robin` (the default), `least_connections`, `hash_client`,
    `hash_header:NAME` or `sticky_cookie`."""

    health: str | UnsetType = UNSET
    """Path that every origin is asked for each 2 s, like `/healthz`; one that fails twice gets requests only when no other is
    left. Off by default. Answers during maintenance too."""

    hold_seconds: float | UnsetType = UNSET
    """How long requests wait while all origins refuse connections, as during a restart. Default: 10. 0 answers 502 at once."""

    static: dict[str, str] | UnsetType = UNSET
    """Directories by URL prefix, like `{ "/static" = "/srv/static" }`; the longest prefix wins."""

    cert: str | UnsetType = UNSET
    """PEM file with your own certificate chain, leaf first: no ACME for names it covers. Needs `key`."""

    key: str | UnsetType = UNSET
    """PEM file with the private key of `cert`, without a pass phrase."""

    max_body: int | str | UnsetType = UNSET
    """Largest request body in bytes, or with a unit: `"10M"`. Larger ones get 413. Default: `"1G"`."""


class ListenTable(Struct, frozen=True):
    """`[listen]`: where visitors connect."""

    bind: str | list[str] | UnsetType = UNSET
    """Numeric addresses. Default: all, IPv6 and IPv4."""

    http_port: int | UnsetType = UNSET
    """Default: 80. 0 turns plain HTTP off; then only TLS-ALPN-01 can prove a name."""

    https_port: int | UnsetType = UNSET
    """Default: 443."""


class AcmeTable(Struct, frozen=True):
    """`[acme]`: how certificates are obtained."""

    directory: str | UnsetType = UNSET
    """Directory URL, or `letsencrypt` (the default) or `letsencrypt-staging`. Naming one orders private names there too."""

    email: str | UnsetType = UNSET
    """Contact for the account; optional."""

    ca_file: str | UnsetType = UNSET
    """PEM file with an extra trust root for the directory's own TLS (Pebble, step-ca)."""


class LogTable(Struct, frozen=True):
    """`[log]`: what is written where."""

    access: str | UnsetType = UNSET
    """`"off"`, `"-"` (standard output, the default) or a file."""

    format: Literal["auto", "text", "json"] | UnsetType = UNSET
    """Default `auto`: text on a terminal, JSON lines otherwise."""


class ServerTable(Struct, frozen=True):
    """`[server]`: the processes."""

    storage: str | UnsetType = UNSET
    """Directory of certificates, accounts and state. Default: `/var/lib/edge` as root, else `$XDG_DATA_HOME/edge`."""

    workers: int | UnsetType = UNSET
    """Serving processes. Default: one per CPU that edge may use."""

    user: str | UnsetType = UNSET
    """Workers become this user when edge is started as root."""

    http2_engine: Literal["auto", "h2", "ngh2"] | UnsetType = UNSET
    """Default `auto`: ngh2 where it is installed, else h2."""

    loop: Literal["auto", "asyncio", "uvloop"] | UnsetType = UNSET
    """Default `auto`: asyncio."""

    drain_seconds: float | UnsetType = UNSET
    """Seconds from a stop or reload until what is still in flight is cut. Default: 30."""


TABLES: Final[dict[str, type[Struct]]] = {
    "site": SiteTable,
    "listen": ListenTable,
    "acme": AcmeTable,
    "log": LogTable,
    "server": ServerTable,
}
"""Table name → its type. `site` is an array of tables, the others occur once."""
