"""The tables of `edge.toml`: types for msgspec, one docstring per key. The reference page is made from this module.

Every key may be left out. A key that is not here is a complaint, never ignored: a misspelt limit that silently does not hold
is worse than a server that does not start.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType, field

from edge.config.toml_rules import AuthTable, CacheTable, HeadersTable, RouteTable, RulesTable

KeyType: TypeAlias = Literal["p256", "p384", "rsa2048", "rsa3072", "rsa4096"]
Challenge: TypeAlias = Literal["auto", "http-01", "tls-alpn-01", "dns-01", "dns-persist-01"]


class SiteTable(RulesTable, frozen=True):
    """`[[site]]`: what is served for one set of names. Repeatable; the first one answers clients that send no server name."""

    names: str | list[str] | UnsetType = UNSET
    """Host names, wildcards (`*.example.com`) and IP addresses. May be left out in the only site: then `localhost`."""

    upstream: str | list[str] | UnsetType = UNSET
    """Origins for everything that no static mount answers: `127.0.0.1:8000`, `http://host:port`, `unix:/run/app.sock`,
    `uwsgi://host:port`, `uwsgi+unix:/run/app.sock`; with a share of the requests: `"127.0.0.1:8001 weight=2"`.
    `https://app.internal:8443` is verified. `h2c://host:port` and `h2c+unix:/run/app.sock` speak HTTP/2 without TLS, for gRPC."""

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

    challenge: Challenge | UnsetType = UNSET
    """As in `[acme]`, for this site."""

    key_type: KeyType | UnsetType = UNSET
    """As in `[acme]`, for this site."""

    profile: str | UnsetType = UNSET
    """As in `[acme]`, for this site."""

    profile_required: bool | UnsetType = UNSET
    """As in `[acme]`, for this site."""

    certificate: Literal["per-name", "per-site"] | UnsetType = UNSET
    """As in `[acme]`, for this site."""

    on_demand: bool | UnsetType = UNSET
    """`true`: answer also for names that no site lists and that `[on_demand]` allows, like customers' own domains. In one site
    at most."""


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

    max_connections: int | UnsetType = UNSET
    """Of each worker; beyond, the longest idle one is closed. Default: 10000, or half of the descriptors it may open."""

    max_connections_per_client: int | UnsetType = UNSET
    """Of each worker, from one IPv4 address or IPv6 /64 that is no trusted proxy; likewise. Default: 1000."""


class AcmeTable(Struct, frozen=True):
    """`[acme]`: how certificates are obtained."""

    directory: str | UnsetType = UNSET
    """Directory URL, or `letsencrypt` (the default) or `letsencrypt-staging`. Naming one orders private names there too."""

    email: str | UnsetType = UNSET
    """Contact for the account; optional."""

    ca_file: str | UnsetType = UNSET
    """PEM file with an extra trust root for the directory's own TLS (Pebble, step-ca)."""

    staging: str | UnsetType = UNSET
    """Directory URL of the CA's test system. After two failed validations proofs are tried there first, where failures do not
    count. Default: that of Let's Encrypt for Let's Encrypt, else none."""

    eab_kid: str | UnsetType = UNSET
    """Key identifier of the external account that some CAs want (ZeroSSL, Google, Actalis …)."""

    eab_hmac_file: str | UnsetType = UNSET
    """File with the HMAC key of that account, in base64url. Read only when the account is registered."""

    eab_hmac_env: str | UnsetType = UNSET
    """Environment variable with the HMAC key, in place of the file."""

    challenge: Challenge | UnsetType = UNSET
    """How names are proved. Default `auto`: `http-01`, else `tls-alpn-01`; wildcards by `dns-01`, which needs
    `[acme.dns]`. `dns-persist-01`: edge tells a record that you make once (few CAs know it yet)."""

    key_type: KeyType | UnsetType = UNSET
    """Private key of the certificates. Default: `p256`, which every client takes and which costs least."""

    profile: str | UnsetType = UNSET
    """Certificate profile to ask for, like `tlsserver` or `shortlived`, where the CA offers it. Default: the CA's own choice."""

    profile_required: bool | UnsetType = UNSET
    """`true`: order nothing from a CA that does not offer the profile."""

    certificate: Literal["per-name", "per-site"] | UnsetType = UNSET
    """Default `per-name`: one certificate for each name, so that no name can keep another from being renewed. `per-site`: names
    of a site share one, up to the limit of the CA (100, or 25 in the profiles `tlsserver` and `shortlived`)."""


class FallbackTable(Struct, frozen=True):
    """`[[acme.fallback]]`: a CA that is asked while the ones before it do not work. Repeatable, in this order."""

    directory: str | UnsetType = UNSET
    """Directory URL."""

    ca_file: str | UnsetType = UNSET
    """As in `[acme]`."""

    eab_kid: str | UnsetType = UNSET
    """As in `[acme]`."""

    eab_hmac_file: str | UnsetType = UNSET
    """As in `[acme]`."""

    eab_hmac_env: str | UnsetType = UNSET
    """As in `[acme]`."""


class DNSTable(Struct, frozen=True):
    """`[acme.dns]`: how TXT records are put into DNS, for wildcards and for `challenge = "dns-01"`. A CNAME at
    `_acme-challenge.NAME` is followed."""

    provider: Literal["exec", "rfc2136", "lexicon"] | UnsetType = UNSET
    """A program of yours, dynamic updates signed with TSIG, or a service that dns-lexicon knows (`pip install
    edge[lexicon]`)."""

    command: str | list[str] | UnsetType = UNSET
    """`exec`: program and first arguments. It is called with `present` or `clean_up`, the record's name and its value, which are
    also in `EDGE_DNS_ACTION`, `EDGE_DNS_NAME` and `EDGE_DNS_VALUE`; status 0 means done."""

    timeout: float | UnsetType = UNSET
    """`exec`: seconds for one call. Default: 60."""

    server: str | UnsetType = UNSET
    """`rfc2136`: the server that takes updates, like `ns1.example.com` or `192.0.2.1:5353`."""

    zone: str | UnsetType = UNSET
    """`rfc2136`: the zone to update. Default: the server says which one holds the name."""

    key_name: str | UnsetType = UNSET
    """`rfc2136`: name of the TSIG key."""

    key_secret_file: str | UnsetType = UNSET
    """`rfc2136`: file with the TSIG key in base64. It is read when it is needed."""

    key_secret_env: str | UnsetType = UNSET
    """`rfc2136`: environment variable with the TSIG key, in place of the file."""

    algorithm: Literal["hmac-sha256", "hmac-sha384", "hmac-sha512"] | UnsetType = UNSET
    """`rfc2136`: of the TSIG key. Default: `hmac-sha256`."""

    service: str | UnsetType = UNSET
    """`lexicon`: name of the service, like `cloudflare`."""

    options: dict[str, str] | UnsetType = UNSET
    """`lexicon`: what the service needs, like `{ auth_token_file = "/etc/edge/token" }`. A key that ends in `_file` or `_env`
    names the file or environment variable that holds the value."""

    propagation_timeout: float | UnsetType = UNSET
    """Seconds until every authoritative server shows a record; then the attempt ends, and the next one goes on with the same
    record. Default: 120, at most 240; 0 does not look."""

    servers: str | list[str] | UnsetType = UNSET
    """Addresses of the name servers to look at. Default: the zone's own."""

    resolvers: str | list[str] | UnsetType = UNSET
    """Addresses of the resolvers that find zones, servers and CNAMEs. Default: this host's."""


class OnDemandTable(Struct, frozen=True):
    """`[on_demand]`: names that get a certificate when the first visitor comes for them. Needs the extra `edge[on-demand]`."""

    ask: str | UnsetType = UNSET
    """Who says which names are welcome: a URL, asked with `?domain=NAME`, or a path of the application (200 is yes, 403 and 404
    are no, anything else is asked again); or `module:function`, called with the name in a process of its own."""

    python_path: str | UnsetType = UNSET
    """Directory in which `module` is found. Default: the one that edge was started in."""

    remember_yes: str | UnsetType = UNSET
    """How long a yes holds. Default: `"1h"`. A certificate that exists is served without asking; it is asked for its renewal."""

    remember_no: str | UnsetType = UNSET
    """How long a no holds. Default: `"10m"`."""

    asks_per_minute: int | UnsetType = UNSET
    """Questions in a minute for all names together. Default: 60."""

    orders_per_hour: int | UnsetType = UNSET
    """Certificates ordered in an hour. Default: 50, half of what Let's Encrypt gives in the long run."""

    orders_per_domain: int | UnsetType = UNSET
    """Certificates ordered in a week for one registrable domain (`customer.co.uk`). Default: 10."""

    depth: int | UnsetType = UNSET
    """Labels that a name may have below its registrable domain. Default: 2."""


class LogTable(Struct, frozen=True):
    """`[log]`: what is written where."""

    access: str | UnsetType = UNSET
    """`"off"`, `"-"` (standard output, the default) or a file."""

    format: Literal["auto", "text", "json"] | UnsetType = UNSET
    """Default `auto`: text on a terminal, JSON lines otherwise."""


class CacheStorageTable(Struct, frozen=True):
    """`[cache]`: where responses are kept, for all sites and workers together. Used only if a site or route has `cache`."""

    memory: int | str | UnsetType = UNSET
    """How much memory they may take. Default: `"64M"`. Not together with `disk`, whose hot files the system keeps in memory."""

    disk: str | UnsetType = UNSET
    """Directory on a disk, which keeps them over a restart. By default they are in memory."""

    disk_size: int | str | UnsetType = UNSET
    """How much of the disk they may take. Default: `"1G"`."""


class NotifyTable(Struct, frozen=True):
    """`[notify]`: who hears of certificates that are running out: once less than a quarter of the lifetime is left, then daily,
    when it has expired, and when all is well again. Every way that is given is used; `edge certs test-notify` tries them."""

    command: str | list[str] | UnsetType = UNSET
    """Program and arguments. It gets the notice as JSON on standard input and as text in `EDGE_NOTICE`."""

    webhook: str | UnsetType = UNSET
    """`https://` URL that gets the notice as JSON in a POST; its field `text` is what Slack and Mattermost show."""

    webhook_file: str | UnsetType = UNSET
    """File with the URL, when the URL is a secret."""

    webhook_env: str | UnsetType = UNSET
    """Environment variable with the URL, in place of the file."""


class EmailTable(Struct, frozen=True):
    """`[notify.email]`: a message by way of your mail server."""

    to: str | list[str] | UnsetType = UNSET
    """Who gets it."""

    server: str | UnsetType = UNSET
    """The mail server, like `smtp.example.com` or `127.0.0.1:25`. Default port: 587, 465 for `tls`, 25 for `none`."""

    sender: str | UnsetType = field(default=UNSET, name="from")
    """Whom it is from. Default: the first of `to`."""

    encryption: Literal["starttls", "tls", "none"] | UnsetType = UNSET
    """Default: `starttls`. The server's certificate is verified."""

    user: str | UnsetType = UNSET
    """Log in as this user. Default: no login."""

    password_file: str | UnsetType = UNSET
    """File with the password. It is read when it is needed."""

    password_env: str | UnsetType = UNSET
    """Environment variable with the password, in place of the file."""


class MetricsTable(Struct, frozen=True):
    """`[metrics]`: numbers for Prometheus."""

    listen: int | str | UnsetType = UNSET
    """Port of 127.0.0.1, or address and port, that answers `GET /metrics`, to whoever can reach it. Off by default."""


class ServerTable(Struct, frozen=True):
    """`[server]`: the processes."""

    storage: str | UnsetType = UNSET
    """Directory of certificates, accounts and state. Default: `/var/lib/edge` as root, else `$XDG_DATA_HOME/edge`. For several
    machines the URL of a server, like `postgresql://edge@db.internal/edge?password_file=/etc/edge/db-password`."""

    workers: int | UnsetType = UNSET
    """Serving processes. Default: one per CPU that edge may use."""

    user: str | UnsetType = UNSET
    """Workers become this user when edge is started as root."""

    http2_engine: Literal["auto", "h2", "ngh2"] | UnsetType = UNSET
    """Default `auto`: ngh2 where it is installed, else h2."""

    loop: Literal["auto", "asyncio", "uvloop"] | UnsetType = UNSET
    """Default `auto`: asyncio. `uvloop` saves a little time, but notices a connection that was reset only by its deadline."""

    confinement: Literal["auto", "off"] | UnsetType = UNSET
    """Default `auto`: where the kernel has Landlock, workers can read what they serve and not the storage."""

    drain_seconds: float | UnsetType = UNSET
    """Seconds from a stop or reload until what is still in flight is cut. Default: 30."""


TABLES: Final[dict[str, type[Struct]]] = {
    "site": SiteTable,
    "listen": ListenTable,
    "acme": AcmeTable,
    "on_demand": OnDemandTable,
    "cache": CacheStorageTable,
    "log": LogTable,
    "notify": NotifyTable,
    "metrics": MetricsTable,
    "server": ServerTable,
}
"""Table name → its type. `site` is an array of tables, the others occur once."""

INNER_TABLES: Final[dict[str, type[Struct]]] = {"headers": HeadersTable, "auth": AuthTable, "cache": CacheTable}
"""Tables inside a site or a route: key → type."""


NESTED: Final[dict[tuple[str, str], type[Struct]]] = {
    ("acme", "fallback"): FallbackTable,
    ("acme", "dns"): DNSTable,
    ("notify", "email"): EmailTable,
}
"""Tables inside tables."""

REPEATED: Final = {("acme", "fallback")}
"""Those of them that are arrays."""
