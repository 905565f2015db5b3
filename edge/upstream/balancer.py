"""In which order the origins of an upstream are tried for one request. Pure, but for whose turn it is.

A balancer is asked for an order, which changes nothing, and told which origin was chosen. In between its caller may find that
the first one has no idle connection, or that it refuses, and go down the list.

    round_robin          each in turn, spread evenly: weights 2 and 1 give A B A, not A A B
    least_connections    fewest requests under way for its weight; equals take turns
    hash                 by a key of the request; the same key finds the same origin, and when an origin leaves only its own
                         keys move (rendezvous hashing: every worker and every machine computes the same order, no state)
    sticky               the origin that the visitor's cookie names; without a cookie whose turn it is

Turns and connections are counted by each worker on its own. That is fair as long as workers get similar shares of the visitors,
and costs no shared memory.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar


class Candidate(Protocol):
    """An origin as far as a balancer needs to know it."""

    @property
    def name(self) -> bytes:
        """What tells it from others, in every worker, before and after a restart."""

    @property
    def weight(self) -> int:
        """Its share of the requests, 1 or more, relative to the others'."""

    @property
    def busy(self) -> int:
        """Requests under way."""


C = TypeVar("C", bound=Candidate)


class Balancer(Protocol):
    """One policy. `candidates` are never empty; those that are avoided have been left out where others are left."""

    def order(self, candidates: Sequence[C], key: bytes) -> list[C]:
        """All candidates, the best first. `key` is what the policy asked of the request, b"" when it has none."""

    def chosen(self, candidate: Candidate, among: Iterable[Candidate]) -> None:
        """`candidate` gets the request."""


class RoundRobin:
    """Smooth weighted turns: everybody earns its weight with each request, the richest is next and pays for all."""

    def __init__(self) -> None:
        self._credit: dict[bytes, int] = {}

    def order(self, candidates: Sequence[C], key: bytes) -> list[C]:  # turns know no key
        """The richest first; the configured order among equals."""
        credit = self._credit
        return sorted(candidates, key=lambda each: credit.get(each.name, 0) + each.weight, reverse=True)

    def chosen(self, candidate: Candidate, among: Iterable[Candidate]) -> None:
        """Those who could not be chosen earn nothing: an origin that was down must not come back to a flood."""
        credit = self._credit
        price = 0
        for each in among:
            credit[each.name] = credit.get(each.name, 0) + each.weight
            price += each.weight
        credit[candidate.name] = credit.get(candidate.name, 0) - price


class LeastConnections:
    """The least loaded for its weight; turns decide between equals, or an idle site would know one origin only."""

    def __init__(self) -> None:
        self._turns = RoundRobin()

    def order(self, candidates: Sequence[C], key: bytes) -> list[C]:
        """With the request at hand counted in: an idle origin of weight 1 gives way to one of weight 3 with one request."""
        return sorted(self._turns.order(candidates, key), key=lambda each: (each.busy + 1) / each.weight)

    def chosen(self, candidate: Candidate, among: Iterable[Candidate]) -> None:
        """Counted through `busy`; here only the turn passes on."""
        self._turns.chosen(candidate, among)


class RendezvousHash:
    """Every origin draws a number from its name and the key; the highest wins. Requests without a key take turns."""

    def __init__(self) -> None:
        self._turns = RoundRobin()

    def order(self, candidates: Sequence[C], key: bytes) -> list[C]:
        """Highest draw first. With weights w the draw is -w / ln(u), whose winner is an origin with probability w / sum(w)."""
        if not key:
            return self._turns.order(candidates, key)
        return sorted(candidates, key=lambda each: _draw(each, key), reverse=True)

    def chosen(self, candidate: Candidate, among: Iterable[Candidate]) -> None:
        """Turns count requests with a key too: those without one fill up where fewer are."""
        self._turns.chosen(candidate, among)


class Sticky:
    """The key is an origin's id as an earlier response's cookie gave it; an unknown one counts as none."""

    def __init__(self) -> None:
        self._turns = RoundRobin()

    def order(self, candidates: Sequence[C], key: bytes) -> list[C]:
        """The named one first, the others in turn."""
        turn = self._turns.order(candidates, key)
        return sorted(turn, key=lambda each: sticky_id(each.name) != key) if key else turn

    def chosen(self, candidate: Candidate, among: Iterable[Candidate]) -> None:
        """Visitors with a cookie count too: new ones fill up where fewer are."""
        self._turns.chosen(candidate, among)


def _draw(candidate: Candidate, key: bytes) -> float:
    digest = hashlib.blake2b(candidate.name + b"\0" + key, digest_size=8).digest()
    uniform = (int.from_bytes(digest, "big") + 0.5) / 2**64
    return -candidate.weight / math.log(uniform) if uniform < 1 else math.inf


def sticky_id(name: bytes) -> bytes:
    """The word in a cookie that stands for the origin called `name`: 16 hexadecimal digits, the same in every worker.

    It does not show the address, but whoever guesses an address can check the guess; private addresses are no secret.
    """
    return hashlib.blake2b(name, digest_size=8, person=b"edge sticky").hexdigest().encode()
