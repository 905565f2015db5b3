"""What the operator asked for, as frozen values: one type per TOML table, unit and reason per field.

`edge.config.load` makes these from flags and `edge.toml`; a `Config` has been checked as a whole. Names are lower-case
A-labels (IDNA) or IP addresses in their canonical form; paths are absolute.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from edge.config.acme_schema import Acme, CertificateOptions
from edge.config.address import UpstreamAddress
from edge.config.endpoint import Endpoint
from edge.config.notify_schema import Notify
from edge.config.on_demand_schema import OnDemand

__all__ = ["Acme", "CertificateOptions", "Config", "KeyPair", "Listen", "Log", "OnDemand", "Site", "StaticMount"]


class StaticMount(Struct, frozen=True):
    """Serve the files below `directory` under the URL `prefix` ("/static", no slash at the end; "" mounts the root).

    `uploads`: the files come from users. They have no compressed copies and no index, promise nothing about their future, and
    are sent so that a browser does not run them in the site's name.
    """

    prefix: str
    directory: str
    uploads: bool = False


class KeyPair(Struct, frozen=True):
    """The operator's own certificate: PEM files with the chain (leaf first) and the private key."""

    certificate: str
    key: str


class Balancing(Struct, frozen=True, omit_defaults=True):
    """Which origin of a site gets a request, and what happens while none accepts any."""

    policy: Literal["round_robin", "least_connections", "hash_client", "hash_header", "sticky_cookie"] = "round_robin"

    header: str = ""
    """Name of the request field whose value `hash_header` hashes, lower-case."""

    health: str = ""
    """Path that is asked every 2 s to know whether an origin is well; "" asks nothing."""

    hold_seconds: float = 10.0
    """How long a request waits while all origins refuse connections, as during a restart; 0 answers 502 at once."""


class User(Struct, frozen=True):
    """Somebody who may pass basic authentication. `hash` is what `edge hash-password` prints."""

    name: str
    hash: str

    def __repr__(self) -> str:
        return f"<User {self.name}>"


class Authentication(Struct, frozen=True):
    """Who may pass, and what browsers show when they ask for name and password."""

    users: tuple[User, ...]
    realm: str = "restricted"


class Rate(Struct, frozen=True):
    """How often one client may ask: `burst` requests at once, then one in every `interval` seconds."""

    interval: float
    burst: int


class Caching(Struct, frozen=True, omit_defaults=True):
    """What is kept of an application's responses, beside what they say themselves."""

    ttl: float = 0.0
    """Seconds for responses that say nothing about their lifetime; 0 keeps none of them."""

    max_body: int = 4 * 1024 * 1024
    """Bytes; larger responses pass. thruster 1 MiB, Varnish unlimited."""

    ignore_query: tuple[str, ...] = ()
    """Names of query parameters that are taken from the target, so that neither the cache nor the application sees them."""


class Rules(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What holds for a site, or for a part of it."""

    max_body: int = 1024 * 1024 * 1024
    """Bytes; a larger request body gets 413. waitress 1 GB, nginx 1 MB (and everybody's first surprise)."""

    first_byte_timeout: float = 60.0
    """Seconds from the end of a request to the first byte of its response; then 504."""

    allow: tuple[str, ...] = ()
    """Networks (CIDR) whose clients are let in; empty means everybody."""

    deny: tuple[str, ...] = ()
    """Networks whose clients are not let in, whatever `allow` says."""

    auth: Authentication | None = None
    """Basic authentication (RFC 7617)."""

    rate: Rate | None = None
    """Beyond it a client gets 429."""

    compress: Literal["never", "careful", "always"] = "never"
    """careful: not what answers a request with a cookie, unless it is public (BREACH)."""

    cache: Caching | None = None
    """Keep responses of the application that are meant for everybody (RFC 9111)."""


class Route(Rules, frozen=True):
    """Other rules for the part of a site below `prefix` (as in StaticMount). Nothing is inherited any more: every field holds."""

    prefix: str
    upstreams: tuple[UpstreamAddress, ...] = ()


class Redirection(Struct, frozen=True):
    """Where a site sends its visitors: `scheme://host[:port]`, or a host alone for https on our own port."""

    target: str
    status: int = 308


class FieldRules(Struct, frozen=True):
    """Changes to response fields; names are lower-case."""

    remove: tuple[str, ...] = ()
    set: tuple[tuple[str, str], ...] = ()
    add: tuple[tuple[str, str], ...] = ()


class ErrorPage(Struct, frozen=True):
    """The HTML file that visitors see when edge itself reports `status`."""

    status: int
    path: str


class Site(Rules, frozen=True):
    """What is served for one set of names."""

    names: tuple[str, ...]
    """Host names, wildcards (`*.example.com`) and IP addresses. The first one is the site's name in logs."""

    upstreams: tuple[UpstreamAddress, ...] = ()
    """Origins for everything that no static mount answers; without one such requests get 404."""

    balancing: Balancing = Balancing()

    upstream_ca: str = ""
    """PEM file with extra trust roots for `https://` origins; "" for the public roots alone."""

    static: tuple[StaticMount, ...] = ()
    """Longest prefix wins."""

    key_pair: KeyPair | None = None
    """Used for the names it covers instead of asking a CA."""

    internal: tuple[StaticMount, ...] = ()
    """Directories that only the application can send files from (X-Accel-Redirect, X-Sendfile)."""

    routes: tuple[Route, ...] = ()
    """Parts with rules of their own; the longest prefix wins."""

    redirect: Redirection | None = None
    """Then nothing else answers."""

    fields: FieldRules = FieldRules()
    """Changes to the fields of every response."""

    hsts: str = ""
    """Value of Strict-Transport-Security (RFC 6797 §6.1); "" sends none."""

    error_pages: tuple[ErrorPage, ...] = ()
    """In place of edge's own pages."""

    certificate: CertificateOptions = CertificateOptions()
    """Of the certificates that edge orders for its names."""

    on_demand: bool = False
    """Answers also for names that no site lists and that `Config.on_demand` allows; true for one site at most."""


class Listen(Struct, frozen=True):
    """Where visitors connect."""

    bind: tuple[str, ...] = ()
    """Numeric addresses; empty means all, IPv6 and IPv4."""

    http_port: int = 80
    """0 turns plain HTTP off (then only TLS-ALPN-01 can prove a name)."""

    https_port: int = 443

    trusted_proxies: tuple[str, ...] = ()
    """Networks (CIDR) whose word about the client counts."""

    cloudflare: tuple[str, ...] = ()
    """Those of them that say it in CF-Connecting-IP."""

    proxy_protocol: bool = False
    """Connections from trusted proxies begin with a PROXY protocol header."""

    max_connections: int = 10_000
    """Of a worker; the longest idle one gives way to a newcomer."""

    max_connections_per_client: int = 1000
    """Of a worker, from one IPv4 address or IPv6 /64 that is no trusted proxy."""


class Log(Struct, frozen=True):
    """What is written where."""

    access: str = "-"
    """"off", "-" for standard output, or a file."""

    format: Literal["auto", "text", "json"] = "auto"
    """auto: text on a terminal, JSON lines otherwise."""


class CacheStorage(Struct, frozen=True):
    """Where responses are kept, for all sites and workers together: in memory, or on a disk."""

    memory: int = 64 * 1024 * 1024
    """Bytes. thruster 64 MiB."""

    disk: str = ""
    """A directory of our own; "" keeps everything in memory."""

    disk_size: int = 1024 * 1024 * 1024
    """Bytes."""


class Config(Struct, frozen=True):
    """Everything one generation of processes needs to know."""

    sites: tuple[Site, ...]
    storage: str
    listen: Listen = Listen()
    acme: Acme = Acme()
    log: Log = Log()
    workers: int = 1
    user: str = ""
    """Workers become this user when started as root; "" keeps the present one."""

    http2_engine: Literal["auto", "h2", "ngh2"] = "auto"
    """auto: ngh2 where it is installed."""

    loop: Literal["auto", "asyncio", "uvloop"] = "auto"
    """auto: asyncio. uvloop saves a little time around each callback, but notices a reset connection only by its deadline."""

    on_demand: OnDemand | None = None
    """None: only listed names are served. Otherwise exactly one site has `on_demand`."""

    confinement: Literal["auto", "off"] = "auto"
    """auto: where the kernel has Landlock, workers keep no right to files but to those that they serve."""

    cache: CacheStorage = CacheStorage()
    drain_seconds: float = 30.0
    """From a stop or reload until what is still in flight is cut. kamal-proxy 30 s."""

    notify: Notify | None = None
    """Who hears that a certificate is running out; None: the log alone."""

    metrics: Endpoint | None = None
    """Where metrics are told; None: nowhere."""

    @property
    def names(self) -> tuple[str, ...]:
        """All names of all sites, in the order of the configuration."""
        return tuple(name for site in self.sites for name in site.names)
