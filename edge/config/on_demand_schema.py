"""`[on_demand]` as frozen values: who is asked whether a name of a visitor may have a certificate, and how often."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from edge.config.address import UpstreamAddress


class AskURL(Struct, frozen=True, tag="url"):
    """A program of the operator is asked by HTTP: `GET target?domain=NAME`."""

    address: UpstreamAddress
    """Where it listens."""

    host: str
    """The Host field, with the port where that is not the usual one."""

    target: str
    """Path, and the query that the operator gave, ready for one more parameter: ends with `domain=`."""

    def __str__(self) -> str:
        """As a URL, without the parameter."""
        return f"{'https' if self.address.tls else 'http'}://{self.host}{self.target.removesuffix('domain=')[:-1]}"


class AskCallable(Struct, frozen=True, tag="callable"):
    """A function of the operator is called with the name, in a process of its own."""

    module: str
    function: str

    directory: str = ""
    """Put in front of the module search path; "" for the directory that edge was started in."""

    def __str__(self) -> str:
        return f"{self.module}:{self.function}"


class OnDemand(Struct, frozen=True, omit_defaults=True):
    """How names that no site lists may get a certificate when a visitor comes for them."""

    ask: AskURL | AskCallable

    remember_yes: int = 3600
    """Seconds that a "yes" holds for further orders; a certificate that exists needs none."""

    remember_no: int = 600
    """Seconds that a "no" holds. A customer who has just been entered waits no longer than that."""

    asks_per_minute: int = 60
    """Questions for all names together, so that a flood of invented ones does not become a flood at the application."""

    orders_per_hour: int = 50
    """Half of what Let's Encrypt gives an account in the long run."""

    orders_per_domain: int = 10
    """Orders in a week for the names of one registrable domain. Let's Encrypt allows 50 certificates; the rest is the
    customer's own."""

    depth: int = 2
    """Labels below the registrable domain. `www.shop.customer.example` has two; enumerators go on for ever."""


WEEK: Final = 7 * 86400.0
"""Seconds in which `orders_per_domain` counts, as at Let's Encrypt."""
