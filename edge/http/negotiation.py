"""Content codings: which of the stored variants of a representation a client gets (RFC 9110 §12.5.3).

The coding with the highest weight wins, the smallest variant among equals. The identity is always there: unless the client
gives it a weight of its own it competes by size alone, and where nothing acceptable is left it is sent all the same (a client
that asks for `identity;q=0` gets a body that it can read, never 406).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

IDENTITY: Final = "identity"

_MEMBER = re.compile(
    rb"[\t ]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?:[\t ]*;[\t ]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?[\t ]*"
).fullmatch

_ALIASES: Final = {"x-gzip": "gzip"}
"""RFC 9110 §8.4.1.3."""


def parse_accept_encoding(value: bytes) -> dict[str, float]:
    """Weights (0 to 1) by lower-case coding, `*` among them. A member that breaks the grammar is skipped.

    A coding named twice keeps its lowest weight: whoever refuses it once cannot rely on it.
    """
    weights: dict[str, float] = {}
    for member in value.split(b","):
        match = _MEMBER(member)
        if match is None:
            continue
        coding = match.group(1).decode("ascii").lower()
        coding = _ALIASES.get(coding, coding)
        weight = float(match.group(2)) if match.group(2) else 1.0
        weights[coding] = min(weight, weights.get(coding, weight))
    return weights


def choose_coding(accept_encoding: bytes | None, sizes: Mapping[str, int]) -> str:
    """The coding to send. `sizes` has the bytes of each stored variant by coding, the identity among them.

    Without an Accept-Encoding field anything would be acceptable; the identity is what such old or simple clients can read.
    """
    if accept_encoding is None:
        return IDENTITY
    weights = parse_accept_encoding(accept_encoding)
    others = weights.get("*", 0.0)
    offers = [(weights.get(coding, others), size, coding) for coding, size in sizes.items() if coding != IDENTITY]
    accepted = [(-weight, size, coding) for weight, size, coding in offers if weight > 0]
    if not accepted:
        return IDENTITY
    best_weight, best_size, best = min(accepted)
    identity_weight = weights.get(IDENTITY, weights.get("*", -best_weight))
    if (-identity_weight, sizes[IDENTITY]) <= (best_weight, best_size):
        return IDENTITY
    return best
