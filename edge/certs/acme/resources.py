"""The documents a CA sends (RFC 8555 §7.1, RFC 9773 §4.1), read with only the fields that edge uses.

Unknown fields, statuses, identifier types and challenge types are legal and kept as text: a CA may add some tomorrow. A list
that is null is an empty one: that is how servers written in Go say so. The message classes of the `acme` package refuse the
status "expired" and stumble over wrong types, so they are not used for reading.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from edge.certs.acme.network import Reply
from edge.certs.acme.transport import nonsense
from edge.certs.acme.urls import require_https

_LONGEST_URL = 2048
_Url = Annotated[str, Meta(max_length=_LONGEST_URL)]


class Directory(Struct, frozen=True, rename="camel"):
    """Where to send what (RFC 8555 §7.1.1). No `renewal_info`: the CA has no ARI. `meta` is RFC 8555 §9.7.6's."""

    new_nonce: _Url
    new_account: _Url
    new_order: _Url
    renewal_info: _Url | None = None
    key_change: _Url | None = None
    revoke_cert: _Url | None = None
    meta: Any = None

    @property
    def profiles(self) -> frozenset[str]:
        """Names of the certificate profiles that can be asked for (draft-ietf-acme-profiles)."""
        offered = self.meta.get("profiles") if isinstance(self.meta, dict) else None
        return frozenset(offered) if isinstance(offered, dict) else frozenset()


class Identifier(Struct, frozen=True):
    """A name that a certificate is for; `type` is "dns" or "ip"."""

    type: str
    value: str


class Order(Struct, frozen=True):
    """RFC 8555 §7.1.3. `status`: pending, ready, processing, valid, invalid, or something new."""

    status: str
    identifiers: list[Identifier] | None = None
    authorizations: list[_Url] | None = None
    finalize: _Url | None = None
    certificate: _Url | None = None
    error: Any = None


class Challenge(Struct, frozen=True):
    """RFC 8555 §8. Types that edge does not know are kept, and never chosen."""

    type: str
    url: _Url = ""
    token: str = ""
    status: str = "pending"
    error: Any = None
    issuers: list[str] | None = field(name="issuer-domain-names", default=None)
    """dns-persist-01 only: names under which records may know the CA."""


class Authorization(Struct, frozen=True):
    """RFC 8555 §7.1.4. `status`: pending, valid, invalid, deactivated, expired, revoked, or something new."""

    identifier: Identifier
    status: str
    challenges: list[Challenge] | None = None
    wildcard: bool | None = None

    @property
    def name(self) -> str:
        """What it is for, as certificates name it: the identifier of a wildcard is its base domain (RFC 8555 §7.1.3)."""
        return f"*.{self.identifier.value}" if self.wildcard else self.identifier.value


class SuggestedWindow(Struct, frozen=True):
    """RFC 9773 §4.2: times with their zone."""

    start: Annotated[datetime, Meta(tz=True)]
    end: Annotated[datetime, Meta(tz=True)]


class RenewalDocument(Struct, frozen=True):
    """RFC 9773 §4.2."""

    window: SuggestedWindow = field(name="suggestedWindow")
    explanation_url: str | None = field(name="explanationURL", default=None)


def read_directory(reply: Reply) -> Directory:
    """The directory, with every URL in it https. Raises: IssueFailed."""
    directory = reply.decode(Directory, "account")
    for url in (
        directory.new_nonce,
        directory.new_account,
        directory.new_order,
        directory.renewal_info,
        directory.key_change,
        directory.revoke_cert,
    ):
        try:
            if url:
                require_https(url)
        except ValueError as exc:
            raise nonsense("account", f"the ACME directory names a URL that cannot be used: {exc}") from exc
    return directory
