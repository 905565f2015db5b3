"""`[acme]` as frozen values: which CAs, for which kind of certificate, proved how."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from msgspec import Struct

from edge.config.endpoint import Endpoint
from edge.config.secret import Secret

KeyType: TypeAlias = Literal["p256", "p384", "rsa2048", "rsa3072", "rsa4096"]
Grouping: TypeAlias = Literal["per-name", "per-site"]
ChallengeKind: TypeAlias = Literal["auto", "http-01", "tls-alpn-01", "dns-01", "dns-persist-01"]


class ExecDNS(Struct, frozen=True, tag="exec"):
    """A program of the operator changes the zone."""

    command: tuple[str, ...]
    """The program (an absolute path) and its first arguments."""

    timeout: float = 60.0
    """Seconds for one call."""


class Rfc2136DNS(Struct, frozen=True, tag="rfc2136"):
    """Dynamic updates (RFC 2136), signed with TSIG (RFC 8945)."""

    server: Endpoint
    """The server that takes updates; its host may be a name."""

    key_name: str
    key: Secret
    """Base64, as `tsig-keygen` prints it."""

    algorithm: str = "hmac-sha256"
    zone: str = ""
    """"" asks the server which of its zones holds the name."""


class LexiconDNS(Struct, frozen=True, tag="lexicon"):
    """A service that the package dns-lexicon knows."""

    service: str
    options: dict[str, str] = {}
    secrets: dict[str, Secret] = {}
    """Options whose values are secrets."""


class DNS(Struct, frozen=True):
    """How TXT records are put into DNS, and when the CA may look."""

    provider: ExecDNS | Rfc2136DNS | LexiconDNS

    propagation_timeout: float = 120.0
    """Seconds until every authoritative server shows a record; 0 does not look. Most take under 60, secondaries by the
    minute."""

    servers: tuple[Endpoint, ...] = ()
    """Asked in place of the zone's public servers, which may not be reachable from here."""

    resolvers: tuple[Endpoint, ...] = ()
    """Empty means those of the host."""


class CertificateOptions(Struct, frozen=True, omit_defaults=True):
    """How certificates are to be: `[acme]` says it for all sites, a `[[site]]` for its own.

    Defaults are left out when it travels between processes: a configuration of a thousand sites has to fit into one packet."""

    key_type: KeyType = "p256"
    """Of the private key; every new certificate has a new one."""

    profile: str = ""
    """Certificate profile at the CA; "" is its default. One that the CA does not offer is passed over …"""

    profile_required: bool = False
    """… unless it is required: then nothing is ordered."""

    grouping: Grouping = "per-name"
    """Whether the names of a site get one certificate each or share one."""

    challenge: ChallengeKind = "auto"
    """auto: http-01, else tls-alpn-01; dns-01 for wildcards, which nothing else proves."""


USUAL: Final = CertificateOptions()
"""What the CA recommends, proved by whatever is at hand."""


class ExternalAccount(Struct, frozen=True):
    """An account made on the CA's web site, to which edge's is bound (RFC 8555 §7.3.4)."""

    kid: str
    hmac_key: Secret
    """Base64url."""


class CA(Struct, frozen=True):
    """One certificate authority."""

    directory: str
    """Directory URL (RFC 8555 §7.1.1)."""

    ca_file: str = ""
    """PEM file with an extra trust root for the directory's own TLS; "" for the public roots."""

    external_account: ExternalAccount | None = None

    staging: str = ""
    """Directory URL of the CA's test system; "" for none that is known."""


class Acme(Struct, frozen=True):
    """How certificates are obtained."""

    directory: str = "https://acme-v02.api.letsencrypt.org/directory"
    """Directory URL (RFC 8555 §7.1.1)."""

    explicit: bool = False
    """Whether the operator named the directory: then even private names (localhost, *.test) are ordered there."""

    email: str = ""
    """Contact for the account; optional, no CA needs it."""

    ca_file: str = ""
    """PEM file with an extra trust root for the directory's own TLS (Pebble, step-ca); "" for the public roots."""

    external_account: ExternalAccount | None = None
    """For CAs that want one."""

    staging: str = ""
    """Directory URL of the CA's test system, where proofs are rehearsed after failed validations; "" for none but the one that
    is known of Let's Encrypt."""

    fallback: tuple[CA, ...] = ()
    """Asked in this order while the ones before do not work."""

    dns: DNS | None = None
    """None: names are proved by the listeners alone, so no wildcards."""

    public_resolvers: tuple[Endpoint, ...] | None = None
    """Asked what the internet sees of a name, before its first order and by `edge doctor`; None: well-known ones, for CAs that
    are not private; empty: nobody is asked."""

    @property
    def authorities(self) -> tuple[CA, ...]:
        """All CAs, the preferred one first."""
        return (CA(self.directory, self.ca_file, self.external_account, self.staging), *self.fallback)
