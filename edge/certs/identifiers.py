"""Which CA can certify a name, and which names share a certificate. Pure.

A public CA certifies only names below a delegated top-level domain and globally routed addresses; everything else
(localhost, `*.test`, private addresses …) goes to the local CA.

Names of public CAs get **one certificate each**. A CA issues for all names of an order or for none, so a shared certificate
lasts only as long as the weakest of its names keeps pointing here: one forgotten `www` record or one departed customer's
domain would let the whole site lapse at the next renewal. The price is more orders; renewals are exempt from the limits
that matter. Who wants fewer certificates says `certificate = "per-site"`: then the names of a site share as few as the CAs'
limit per certificate allows. Names of the local CA always share one per site: nothing can fail there, and a visitor who comes by
address (no server name in the handshake) then finds the address in the first site's certificate.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Literal, TypeAlias

from msgspec import Struct

from edge.config.acme_schema import CertificateOptions
from edge.config.names import is_address, is_public
from edge.config.schema import Site

Authority: TypeAlias = Literal["public", "local"]

MOST_NAMES = {"": 100, "classic": 100, "tlsserver": 25, "shortlived": 25}
"""Names per certificate at Let's Encrypt, by profile; "" stands for the CA's default and for profiles nobody knows."""


ON_DEMAND = "@demand"
"""End of the directories of certificates that no configuration lists: whoever tidies up must not look into thousands of them."""


class CertificateSpec(Struct, frozen=True):
    """A certificate that the configuration asks for: all of `names` in one leaf, from one kind of CA."""

    names: tuple[str, ...]
    authority: Authority
    options: CertificateOptions = CertificateOptions()
    on_demand: bool = False
    """Whether a visitor brought it up, and not the configuration."""

    @property
    def name(self) -> str:
        """The one that stands for all in messages."""
        return self.names[0]

    @property
    def directory(self) -> str:
        """A storage segment unique to this set of names and this type of key, the same whatever the order of the names."""
        digest = hashlib.sha256(",".join([*sorted(self.names), self.options.key_type]).encode()).hexdigest()
        return f"{re.sub(r'[^A-Za-z0-9.*-]', '_', self.name)[:100]}-{digest[:8]}{ON_DEMAND if self.on_demand else ''}"


def is_shallow_wildcard(name: str) -> bool:
    """Whether `name` is a wildcard right below a top-level name (`*.test`): OpenSSL and browsers never match those."""
    return name.startswith("*.") and "." not in name.removeprefix("*.")


def plan_certificates(sites: Iterable[Site], ordered_names: set[str], *, all_public: bool) -> list[CertificateSpec]:
    """The certificates for those names of `sites` that are in `ordered_names`; each name is in exactly one.

    `all_public`: the operator named an ACME directory, so even private names are ordered there.
    """
    specs: list[CertificateSpec] = []
    left = set(ordered_names)
    for site in sites:
        names = [name for name in dict.fromkeys(site.names) if name in left]
        left.difference_update(names)
        public = [name for name in names if all_public or is_public(name)]
        local = tuple(name for name in names if not (all_public or is_public(name)))
        specs += [CertificateSpec(group, "public", site.certificate) for group in _groups(public, site.certificate)]
        specs += [CertificateSpec(local, "local")] if local else []
    return specs


def _groups(names: list[str], options: CertificateOptions) -> list[tuple[str, ...]]:
    """Names that share a certificate. Addresses stay apart: the CAs certify them only in a profile of their own."""
    if options.grouping == "per-name":
        return [(name,) for name in names]
    most = MOST_NAMES.get(options.profile, MOST_NAMES[""])
    kinds = [[name for name in names if is_address(name) is apart] for apart in (False, True)]
    return [group for kind in kinds for group in batched(kind, most)]


def batched(names: list[str], most: int) -> list[tuple[str, ...]]:
    """Consecutive groups of at most `most` names."""
    return [tuple(names[start : start + most]) for start in range(0, len(names), most)]
