"""The tables of `edge.toml`: types for msgspec, one docstring per key. The reference page is made from this module.

Every key may be left out. A key that is not here is a complaint, never ignored: a misspelt limit that silently does not hold
is worse than a server that does not start.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import UNSET, Struct, UnsetType

from edge.config.toml_rules import AuthTable, HeadersTable, RouteTable, RulesTable


class SiteTable(RulesTable, frozen=True):
    """`[[site]]`: what is served for one set of names. Repeatable; the first one answers clients that send no server name."""

    names: str | list[str] | UnsetType = UNSET
    """Host names, wildcards (`*.example.com`) and IP addresses. May be left out in the only site: then `localhost`."""

    upstream: str | list[str] | UnsetType = UNSET
    """Origins for everything that no static mount answers: `127.0.0.1:8000`, `http://host:port`, `unix:/run/app.sock`."""

    static: dict[str, str] | UnsetType = UNSET
    """Directories by URL prefix, like `{ "/static" = "/srv/static" }`; the longest prefix wins."""

    cert: str | UnsetType = UNSET
    """PEM file with your own certificate chain, leaf first: no ACME for names it covers. Needs `key`."""

    key: str | UnsetType = UNSET
    """PEM file with the private key of `cert`, without a pass phrase."""

    media: dict[str, str] | UnsetType = UNSET
    """Directories of files that users have uploaded, by URL prefix: served so that they cannot act in the site's name."""

    internal: dict[str, str] | UnsetType = UNSET
    """Directories by URL prefix that only the application can send files from, by `X-Accel-Redirect` or `X-Sendfile`."""

    redirect: str | UnsetType = UNSET
    """Send every request to the same path of another host: `"example.com"`, `"https://example.com"`."""

    redirect_status: int | UnsetType = UNSET
    """301 or 308. Default: 308, which keeps method and body."""

    hsts: str | UnsetType = UNSET
    """Tell browsers to use HTTPS only, for so long: `"5m"` to try it, `"1y"` to stay. Off by default; hard to take back."""

    hsts_subdomains: bool | UnsetType = UNSET
    """Includes all subdomains, whoever serves them. Default: `false`."""

    hsts_preload: bool | UnsetType = UNSET
    """Asks for a place in browsers' built-in lists. Needs `hsts_subdomains` and a year. Default: `false`."""

    headers: HeadersTable | UnsetType = UNSET
    """Changes to response fields, see `[site.headers]`."""

    error_pages: dict[str, str] | UnsetType = UNSET
    """HTML files by status for errors that edge itself reports, like `{ 502 = "502.html" }`."""

    route: list[RouteTable] | UnsetType = UNSET
    """Other rules for parts of the site, see `[[site.route]]`."""


class ListenTable(Struct, frozen=True):
    """`[listen]`: where visitors connect."""

    bind: str | list[str] | UnsetType = UNSET
    """Numeric addresses. Default: all, IPv6 and IPv4."""

    http_port: int | UnsetType = UNSET
    """Default: 80. 0 turns plain HTTP off; then only TLS-ALPN-01 can prove a name."""

    https_port: int | UnsetType = UNSET
    """Default: 443."""

    trusted_proxies: str | list[str] | UnsetType = UNSET
    """Networks, `private` or `cloudflare`: peers there say who the client is, in `X-Forwarded-For` and its relatives."""

    proxy_protocol: bool | UnsetType = UNSET
    """Connections from `trusted_proxies` begin with a PROXY protocol header, version 1 or 2. Default: `false`."""


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

INNER_TABLES: Final[dict[str, type[Struct]]] = {"headers": HeadersTable, "auth": AuthTable}
"""Tables inside a site or a route: key → type."""
