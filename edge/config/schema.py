"""What the operator asked for, as frozen values: one type per TOML table, unit and reason per field.

`edge.config.load` makes these from flags and `edge.toml`; a `Config` has been checked as a whole. Names are lower-case
A-labels (IDNA) or IP addresses in their canonical form; paths are absolute.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from edge.config.acme_schema import Acme, CertificateOptions
from edge.config.address import UpstreamAddress

__all__ = ["Acme", "CertificateOptions", "Config", "KeyPair", "Listen", "Log", "Site", "StaticMount"]


class StaticMount(Struct, frozen=True):
    """Serve the files below `directory` under the URL `prefix` ("/static", no slash at the end; "" mounts the root)."""

    prefix: str
    directory: str


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


class Site(Struct, frozen=True, omit_defaults=True):
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

    certificate: CertificateOptions = CertificateOptions()
    """Of the certificates that edge orders for its names."""

    max_body: int = 1024 * 1024 * 1024
    """Bytes; a larger request body gets 413. waitress 1 GB, nginx 1 MB (and everybody's first surprise)."""


class Listen(Struct, frozen=True):
    """Where visitors connect."""

    bind: tuple[str, ...] = ()
    """Numeric addresses; empty means all, IPv6 and IPv4."""

    http_port: int = 80
    """0 turns plain HTTP off (then only TLS-ALPN-01 can prove a name)."""

    https_port: int = 443


class Log(Struct, frozen=True):
    """What is written where."""

    access: str = "-"
    """"off", "-" for standard output, or a file."""

    format: Literal["auto", "text", "json"] = "auto"
    """auto: text on a terminal, JSON lines otherwise."""


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
    """auto: asyncio, which keeps up because sockets are driven directly."""

    drain_seconds: float = 30.0
    """From a stop or reload until what is still in flight is cut. kamal-proxy 30 s."""

    @property
    def names(self) -> tuple[str, ...]:
        """All names of all sites, in the order of the configuration."""
        return tuple(name for site in self.sites for name in site.names)
