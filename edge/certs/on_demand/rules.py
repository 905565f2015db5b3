"""Which names are worth a question at all. Pure, and asked before anything that costs.

Server names come from strangers. Those who enumerate subdomains invent them without end (`www.www.mail.www.…`), and each one
that got a certificate would show up in the public logs that enumerators read, so that the next round is longer. So a name has a
bounded number of labels below its registrable domain, and no label twice in a row.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from edge.config.names import is_address, is_public, parse_name


class NameRules:
    """The rules of one configuration. `registrable` gives the registrable domain of a name, None for a public suffix."""

    def __init__(self, depth: int, *, all_public: bool, registrable: Callable[[str], str | None]) -> None:
        self._depth = depth
        self._all_public = all_public
        self._registrable = registrable

    def domain_of(self, name: str) -> str | None:
        """The registrable domain that `name` counts for; None when nobody has to be asked about this name."""
        if not is_spelt_right(name) or not (self._all_public or is_public(name)):
            return None
        domain = self._registrable(name)
        if domain is None or domain == name:
            return domain
        below = name.removesuffix(f".{domain}").split(".")
        repeats = any(one == following for one, following in pairwise(below))
        return None if len(below) > self._depth or repeats else domain


def is_spelt_right(name: str) -> bool:
    """Whether a server name is a host name of several labels in its one spelling: no address, no wildcard, valid IDNA."""
    try:
        return "." in name and parse_name(name) == name and not is_address(name) and not name.startswith("*.")
    except ValueError:
        return False


def public_suffixes() -> Callable[[str], str | None]:
    """Looks registrable domains up in the Public Suffix List that the package brings along; nothing is fetched."""
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415  # an extra

    suffixes = PublicSuffixList()

    def registrable(name: str) -> str | None:
        found: str | None = suffixes.privatesuffix(name)
        return found

    return registrable
